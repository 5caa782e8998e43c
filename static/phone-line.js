/* One call's line: the sound of this browser on one side, the socket to the assistant on the other.

The socket speaks the media stream's own messages, as the telephone company would: media, mark, dtmf and stop
from here, media, mark and clear from there; and, of our own, kept: the call is in the books and can be watched. */

const TONES_HZ = { row: [697, 770, 852, 941], column: [1209, 1336, 1477] };
const KEYS = "123456789*0#";
const TONE_S = 0.14;

export const KEY_NAMES = [...KEYS];

/** Something that keeps a call from being made; the message is for the person who wants to make it. */
export class Trouble extends Error {}

/** The microphone's stream. Raises Trouble with what can be done about it. */
export async function openMicrophone() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new Trouble(
      "A browser gives a page the microphone only over https, or on the very machine it runs on. " +
        "Open the page at its https address, or let a scripted caller speak.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
  } catch (error) {
    throw new Trouble(`${MICROPHONE[error.name] ?? MICROPHONE.other} Or let a scripted caller speak.`);
  }
}

const MICROPHONE = {
  NotAllowedError: "The browser does not let this page use the microphone. Allow it beside the address, and call again.",
  NotFoundError: "There is no microphone. Plug one in, and call again.",
  NotReadableError: "The microphone does not answer; perhaps another program has it. Close that, and call again.",
  other: "The microphone cannot be used.",
};

export class Line {
  #context;
  #node;
  #socket;
  #microphone;
  #heard;
  #over = false;

  /** context: an AudioContext that was made by a press of a button.
   *  heard: {began(), kept(), frame(levels), arrived(bytes), said(), over(code)}, told what happens. */
  constructor(context, microphone, heard) {
    this.#context = context;
    this.#microphone = microphone;
    this.#heard = heard;
  }

  /** Get the sound ready. Raises Trouble. */
  async prepare(workletAddress) {
    try {
      await this.#context.audioWorklet.addModule(workletAddress);
      await this.#context.resume();
    } catch {
      throw new Trouble("This browser cannot play or take sound as a phone has to. A newer one can.");
    }
    this.#node = new AudioWorkletNode(this.#context, "phone-line", { outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => this.#fromSound(data);
    this.#node.connect(this.#context.destination);
    if (this.#microphone) this.#context.createMediaStreamSource(this.#microphone).connect(this.#node);
  }

  /** Dial: the call begins when the socket is open. */
  connect(address, callSid, token) {
    this.#socket = new WebSocket(address);
    this.#socket.onopen = () => {
      this.#send({ event: "start", callSid, token });
      this.#node.port.postMessage({ run: true });
      this.#heard.began();
    };
    this.#socket.onmessage = ({ data }) => this.#fromSocket(JSON.parse(data));
    this.#socket.onclose = ({ code }) => this.#end(code);
  }

  set muted(muted) {
    this.#node?.port.postMessage({ muted });
  }

  /** Say this in place of the microphone. */
  say(payload) {
    this.#node.port.postMessage({ say: payload });
  }

  /** Press a key: the assistant is told of it, and it sounds here. */
  press(key) {
    this.#send({ event: "dtmf", dtmf: { digit: key } });
    this.#tone(KEYS.indexOf(key));
  }

  /** End it from this side. Quick, and harmless a second time. */
  hangUp() {
    this.#send({ event: "stop" });
    this.#socket?.close(1000);
    this.#end(1000);
  }

  #fromSound({ mark, said, frame, ...levels }) {
    if (mark !== undefined) this.#send({ event: "mark", mark: { name: mark } });
    if (said) this.#heard.said();
    if (!frame) return;
    const payload = btoa(String.fromCharCode(...frame));
    this.#send({ event: "media", media: { timestamp: String(levels.at_ms), payload } });
    if (levels.at_ms % 1000 === 0) this.#measure();
    this.#heard.frame(levels);
  }

  /** The time from here to the loudspeaker: a mark says what has been heard, not what was queued. */
  #measure() {
    const latency = this.#context.outputLatency || this.#context.baseLatency || 0;
    this.#node.port.postMessage({ latency });
  }

  #fromSocket({ event, media, mark }) {
    if (event === "media") {
      const bytes = Uint8Array.from(atob(media.payload), (letter) => letter.charCodeAt(0));
      this.#heard.arrived(bytes);
      this.#node.port.postMessage({ play: bytes });
    } else if (event === "mark") {
      this.#node.port.postMessage({ mark: mark.name });
    } else if (event === "clear") {
      this.#node.port.postMessage({ clear: true });
    } else if (event === "kept") {
      this.#heard.kept();
    }
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #tone(n) {
    const loudness = new GainNode(this.#context, { gain: 0.07 });
    loudness.connect(this.#context.destination);
    for (const frequency of [TONES_HZ.row[Math.floor(n / 3)], TONES_HZ.column[n % 3]]) {
      const tone = new OscillatorNode(this.#context, { frequency });
      tone.connect(loudness);
      tone.start();
      tone.stop(this.#context.currentTime + TONE_S);
    }
  }

  /** Over, whoever ended it: the microphone is given back, and nothing sounds on. */
  #end(code) {
    if (this.#over) return;
    this.#over = true;
    this.#node?.port.postMessage({ run: false, clear: true, hush: true });
    this.#node?.disconnect();
    this.#microphone?.getTracks().forEach((track) => track.stop());
    if (this.#context.state !== "closed") this.#context.close();
    this.#heard.over(code);
  }
}
