/* What is said on the call, as the server keeps it: the lines of its live stream, in the order they were spoken. */

const AGAIN_MS = 700; // where the browser does not come back by itself

export class Words {
  #list;
  #source = null;
  #address = "";
  #again = 0;

  constructor(list) {
    this.#list = list;
  }

  clear() {
    this.stop();
    this.#list.replaceChildren();
  }

  follow(address) {
    this.#address = address;
    this.#open();
  }

  stop() {
    clearTimeout(this.#again);
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    const source = (this.#source = new EventSource(this.#address));
    source.addEventListener("line", ({ data }) => this.#place(data));
    source.addEventListener("over", () => this.stop());
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.#again = setTimeout(() => this.#open(), AGAIN_MS);
    });
  }

  /** A line that is told anew, with the words that came late, takes the place of the old one. */
  #place(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const line = template.content.querySelector("li.turn");
    if (!line) return;
    const others = [...this.#list.children].filter((other) => other.dataset.line !== line.dataset.line);
    const place = (one) => Number(one.dataset.position ?? one.dataset.at);
    this.#list.replaceChildren(...[...others, line].sort((one, other) => place(one) - place(other)));
    this.#list.parentElement.scrollTop = this.#list.parentElement.scrollHeight;
  }
}
