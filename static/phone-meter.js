/* The two voices of a call as they go by: the assistant above the line, the caller below it. */

const BAR_PX = 3;
const GAP_PX = 2;
const EVERY = 3;          // frames of 20 ms make a bar
const FULL = 0.35;        // of 1: as loud as a voice gets, as a rule

export class Meter {
  #canvas;
  #bars = [];
  #frames = 0;
  #loudest = { assistant: 0, caller: 0 };
  #drawn = true;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  clear() {
    this.#bars = [];
    this.#draw();
  }

  /** The levels of another 20 ms, 0..1. */
  frame({ assistant, caller }) {
    const loudest = this.#loudest;
    loudest.assistant = Math.max(loudest.assistant, assistant);
    loudest.caller = Math.max(loudest.caller, caller);
    this.#frames += 1;
    if (this.#frames % EVERY) return;
    this.#bars.push(loudest);
    this.#loudest = { assistant: 0, caller: 0 };
    if (this.#drawn) requestAnimationFrame(() => this.#draw());
    this.#drawn = false;
  }

  #draw() {
    this.#drawn = true;
    const canvas = this.#canvas;
    const { clientWidth: width, clientHeight: height } = canvas;
    const sharpness = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * sharpness);
    canvas.height = Math.round(height * sharpness);
    const most = Math.floor(width / (BAR_PX + GAP_PX));
    this.#bars.splice(0, Math.max(0, this.#bars.length - most));
    const pen = canvas.getContext("2d");
    pen.scale(sharpness, sharpness);
    const { color, borderTopColor } = getComputedStyle(canvas);
    for (const [name, colour, side] of [["assistant", color, -1], ["caller", borderTopColor, 1]]) {
      pen.fillStyle = colour;
      this.#bars.forEach((bar, n) => {
        const length = 1 + Math.min(1, Math.sqrt(bar[name] / FULL)) * (height / 2 - 3);
        const left = width - (this.#bars.length - n) * (BAR_PX + GAP_PX);
        pen.fillRect(left, height / 2 + (side < 0 ? -length - 1 : 1), BAR_PX, length);
      });
    }
  }
}
