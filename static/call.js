// The sound of a call, and the words that go with it. The page has plain players that work without this; here
// they get the drawing, keys, speeds, and a transcript that follows the sound and leads it.
//
// Times of lines count from the start of the recording, in milliseconds; a player's own are seconds.
(() => {
  "use strict";

  const STEP_S = 5;
  const BEGINNING_S = 1.5; // so soon after a line's start "the line before" means another one
  const SILENCE_S = 1.2; // shorter ones belong to speaking
  const SILENCE_KEPT_S = 0.3; // at either end
  const SILENT = 0.05; // of the loudest
  const QUIET = 0.1; // a recording with nothing louder is drawn small, as it is
  const NEAR_END_S = 3;
  const OURS_MS = 1500; // a scroll of the page for so long after ours may still be ours
  const SPEED = "afterbeep.speed";
  const nonce = document.currentScript.nonce;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const players = [];

  // --- small things ------------------------------------------------------------------

  function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds || 0));
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  }

  // What is remembered is a comfort: a browser that remembers nothing plays all the same.
  function recall(storage, name) {
    try {
      return window[storage].getItem(name);
    } catch {
      return null;
    }
  }

  function remember(storage, name, value) {
    try {
      if (value === null) window[storage].removeItem(name);
      else window[storage].setItem(name, value);
    } catch {
      // Nothing depends on it.
    }
  }

  // --- the transcript ----------------------------------------------------------------

  // The lines of a recording: which is being said, and keeping it in sight until the owner scrolls by hand.
  class Lines {
    constructor(list, player) {
      this.list = list;
      this.player = player;
      this.following = true;
      this.current = null;
      this.oursUntil = 0;
      for (const button of list.querySelectorAll(".at")) {
        button.disabled = false;
        button.setAttribute("aria-label", `Play from ${button.textContent.trim()}`);
      }
      list.addEventListener("click", (event) => this.onClick(event));
      for (const name of ["wheel", "touchmove"]) {
        window.addEventListener(name, () => this.leave(), { passive: true });
      }
      window.addEventListener("scroll", () => this.onScroll(), { passive: true });
      window.addEventListener("scrollend", () => { this.oursUntil = 0; });
    }

    get turns() {
      return [...this.list.querySelectorAll(".turn[data-at]")];
    }

    onClick(event) {
      const button = event.target.closest(".at");
      const turn = button && button.closest(".turn");
      if (!turn) return;
      this.follow();
      this.player.seek(Lines.start(turn));
      this.player.play();
    }

    static start(turn) {
      return Number(turn.dataset.at) / 1000;
    }

    // The last line that has begun. Lines are in speaking order, which is nearly the order of their times.
    at(seconds) {
      let found = null;
      for (const turn of this.turns) {
        const begun = Lines.start(turn) <= seconds + 0.05;
        if (begun && (!found || Lines.start(turn) >= Lines.start(found))) found = turn;
      }
      return found;
    }

    show(seconds) {
      const turn = this.at(seconds);
      if (turn === this.current) return;
      if (this.current) this.current.removeAttribute("aria-current");
      if (turn) turn.setAttribute("aria-current", "true");
      this.current = turn;
      this.bringIntoSight();
    }

    bringIntoSight() {
      if (!this.following || !this.current || !this.player.used) return;
      const line = this.current.getBoundingClientRect();
      const top = this.player.figure.getBoundingClientRect().bottom + 12;
      const bottom = window.innerHeight - 90;
      if (line.top >= top && line.bottom <= bottom) return;
      this.oursUntil = performance.now() + OURS_MS;
      this.current.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
    }

    onScroll() {
      if (performance.now() > this.oursUntil) this.leave();
    }

    leave() {
      if (!this.following || this.player.audio.paused) return;
      this.following = false;
      this.player.followButton.hidden = false;
    }

    follow() {
      this.following = true;
      this.player.followButton.hidden = true;
      this.bringIntoSight();
    }

    before(seconds) {
      const starts = this.turns.map(Lines.start).sort((one, other) => one - other);
      return starts.findLast((start) => start < seconds - BEGINNING_S) ?? 0;
    }

    after(seconds) {
      const starts = this.turns.map(Lines.start).sort((one, other) => one - other);
      return starts.find((start) => start > seconds + 0.05);
    }
  }

  // --- one recording -----------------------------------------------------------------

  class Player {
    constructor(figure) {
      this.figure = figure;
      this.audio = figure.querySelector("audio");
      this.position = figure.querySelector(".position");
      this.playButton = figure.querySelector(".play");
      this.followButton = figure.querySelector(".follow");
      this.leap = figure.querySelector(".leap");
      this.speed = figure.querySelector(".speed");
      this.now = figure.querySelector(".now");
      this.silences = [];
      this.used = false; // nothing on the page moves before the owner has touched the player
      this.place = `afterbeep.at.${new URL(this.audio.src).pathname}${new URL(this.audio.src).search}`;
      const list = document.getElementById(figure.dataset.transcript || "");
      this.lines = list ? new Lines(list, this) : null;
      this.takeOver();
      this.listen();
      this.begin();
      this.draw();
    }

    // The browser's own controls go, ours come.
    takeOver() {
      this.audio.controls = false;
      this.audio.hidden = true;
      for (const name of [".controls", ".stage"]) this.figure.querySelector(name).hidden = false;
      this.figure.dataset.ready = "";
    }

    listen() {
      const on = (target, name, act) => target && target.addEventListener(name, act);
      on(this.playButton, "click", () => this.toggle());
      on(this.figure.querySelector(".back"), "click", () => this.move(-STEP_S));
      on(this.figure.querySelector(".forward"), "click", () => this.move(STEP_S));
      on(this.followButton, "click", () => this.lines && this.lines.follow());
      on(this.position, "input", () => this.seek(Number(this.position.value)));
      on(this.position, "keydown", (event) => this.onSlide(event));
      on(this.speed, "change", () => this.setSpeed(this.speed.value));
      on(this.audio, "loadedmetadata", () => this.tell());
      on(this.audio, "durationchange", () => this.tell());
      on(this.audio, "timeupdate", () => this.onTime());
      on(this.audio, "seeked", () => this.tell());
      on(this.audio, "play", () => this.onPlay());
      on(this.audio, "pause", () => this.onPause());
      on(this.audio, "ended", () => remember("sessionStorage", this.place, null));
      on(this.audio, "error", () => this.onError());
      on(window, "pagehide", () => this.keepPlace());
      on(window, "hashchange", () => this.named && this.seek(Lines.start(this.named)));
    }

    // Where it was left, or at the line the address names.
    begin() {
      this.setSpeed(recall("localStorage", SPEED) || "1");
      const left = Number(recall("sessionStorage", this.place) || 0);
      const start = this.named ? Lines.start(this.named) : left;
      if (start > 0) this.audio.currentTime = start;
      this.tell();
    }

    // The line that the address names: whoever searched has jumped to it.
    get named() {
      return this.lines && this.lines.turns.find((turn) => `#${turn.id}` === location.hash);
    }

    get seconds() {
      return Number.isFinite(this.audio.duration) ? this.audio.duration : Number(this.position.max);
    }

    play() {
      this.used = true;
      this.audio.play().catch(() => this.onPause());
    }

    toggle() {
      if (this.audio.paused) this.play();
      else this.audio.pause();
    }

    seek(seconds) {
      this.used = true;
      this.audio.currentTime = Math.min(Math.max(0, seconds), this.seconds);
      this.tell();
    }

    move(seconds) {
      this.seek(this.audio.currentTime + seconds);
    }

    toLine(which) {
      if (!this.lines) return;
      const start = this.lines[which](this.audio.currentTime);
      if (start === undefined) return;
      this.lines.following = true;
      this.followButton.hidden = true;
      this.seek(start);
    }

    setSpeed(speed) {
      this.speed.value = speed;
      if (!this.speed.value) this.speed.value = "1";
      this.audio.defaultPlaybackRate = this.audio.playbackRate = Number(this.speed.value);
      remember("localStorage", SPEED, this.speed.value);
    }

    // The same step as everywhere, also where single keys are switched off.
    onSlide(event) {
      const step = { ArrowLeft: -STEP_S, ArrowRight: STEP_S }[event.key];
      if (!step) return;
      event.preventDefault();
      this.move(step);
    }

    onPlay() {
      for (const other of players) if (other !== this) other.audio.pause();
      this.used = true;
      current = this;
      this.playButton.setAttribute("aria-label", "Pause");
      this.figure.classList.add("playing");
      this.tellSystem();
    }

    onPause() {
      this.playButton.setAttribute("aria-label", "Play");
      this.figure.classList.remove("playing");
      this.followButton.hidden = true;
      if (this.lines) this.lines.following = true;
      this.keepPlace();
    }

    onTime() {
      this.leapSilence();
      this.tell();
      if (!this.audio.paused) this.keepPlace();
    }

    onError() {
      const note = document.createElement("p");
      note.className = "problem";
      note.setAttribute("role", "alert");
      note.textContent = "This recording cannot be played here. Reload the page, or take it away below.";
      this.figure.append(note);
    }

    keepPlace() {
      const at = this.audio.currentTime;
      const worth = at > 1 && at < this.seconds - NEAR_END_S;
      remember("sessionStorage", this.place, worth ? at.toFixed(1) : null);
    }

    // Everything on the page that says where the sound is.
    tell() {
      const at = this.audio.currentTime;
      this.now.textContent = clock(at);
      this.figure.querySelector(".all").textContent = clock(Math.round(this.seconds));
      this.position.max = this.seconds;
      this.position.value = at;
      this.position.setAttribute("aria-valuetext", `${clock(at)} of ${clock(Math.round(this.seconds))}`);
      if (this.lines && (this.used || at > 0)) this.lines.show(at);
    }

    leapSilence() {
      if (!this.leap.checked || this.audio.paused) return;
      const at = this.audio.currentTime;
      const silence = this.silences.find(([start, end]) => at > start && at < end);
      if (silence) this.audio.currentTime = silence[1];
    }

    // --- the drawing ---

    async draw() {
      try {
        const answer = await fetch(this.figure.dataset.peaks, { headers: { Accept: "application/json" } });
        const { duration, peaks } = await answer.json();
        if (!answer.ok || !peaks.length || !duration) throw new Error("nothing to draw");
        this.silences = silencesOf(peaks, duration);
        this.drawn = { peaks, duration };
        this.paint();
      } catch {
        this.figure.dataset.wave = "none"; // the position's own slider is shown instead
      }
    }

    paint() {
      const { peaks, duration } = this.drawn;
      const loudest = Math.max(QUIET, ...peaks.map((lane) => Math.max(...lane)));
      const place = this.figure.querySelector(".wave");
      if (this.wave) this.wave.destroy();
      this.wave = WaveSurfer.create({
        container: place,
        media: this.audio,
        peaks,
        duration,
        cspNonce: nonce,
        cursorColor: colour(place, "--ink"),
        cursorWidth: 2,
        barWidth: 2,
        barGap: 1,
        barRadius: 2,
        barMinHeight: 1,
        normalize: true,
        maxPeak: loudest,
        hideScrollbar: true,
        dragToSeek: true,
        splitChannels: peaks.map((_, lane) => laneLook(place, lane, peaks.length)),
      });
      this.wave.on("interaction", () => {
        this.used = true;
        if (this.lines) this.lines.follow();
      });
      this.wave.on("redrawcomplete", () => { this.figure.dataset.wave = "ready"; });
      this.figure.querySelector(".lane-names").hidden = peaks.length < 2;
    }

    // --- the system's own controls: a locked screen, a headset ---

    tellSystem() {
      if (!("mediaSession" in navigator)) return;
      const { title, about } = this.figure.dataset;
      navigator.mediaSession.metadata = new MediaMetadata({ title, artist: about || "Afterbeep", album: "Afterbeep" });
      const acts = {
        play: () => this.play(),
        pause: () => this.audio.pause(),
        seekbackward: () => this.move(-STEP_S),
        seekforward: () => this.move(STEP_S),
        seekto: (asked) => this.seek(asked.seekTime),
        previoustrack: this.lines && (() => this.toLine("before")),
        nexttrack: this.lines && (() => this.toLine("after")),
      };
      for (const [name, act] of Object.entries(acts)) navigator.mediaSession.setActionHandler(name, act || null);
    }
  }

  function silencesOf(peaks, duration) {
    const loudest = Math.max(...peaks.map((lane) => Math.max(...lane)));
    const each = duration / peaks[0].length;
    const found = [];
    let start = null;
    for (let n = 0; n <= peaks[0].length; n += 1) {
      const silent = n < peaks[0].length && peaks.every((lane) => lane[n] <= loudest * SILENT);
      if (silent && start === null) start = n;
      if (silent || start === null) continue;
      if ((n - start) * each >= SILENCE_S) found.push([start * each + SILENCE_KEPT_S, n * each - SILENCE_KEPT_S]);
      start = null;
    }
    return found;
  }

  // A canvas wants a colour as it is, not what a style sheet calls it.
  function colour(place, name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    place.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function laneLook(place, lane, lanes) {
    const who = lanes === 1 || lane === 0 ? "caller" : "assistant";
    return {
      height: lanes === 1 ? 56 : 38,
      waveColor: colour(place, `--${who}-rest`),
      progressColor: colour(place, `--${who}`),
    };
  }

  // --- keys --------------------------------------------------------------------------

  let current = null;

  const KEYS = {
    " ": () => current.toggle(),
    ArrowLeft: () => current.move(-STEP_S),
    ArrowRight: () => current.move(STEP_S),
    ",": () => current.toLine("before"),
    ".": () => current.toLine("after"),
  };

  // Whoever types, or has a button in focus that the key would press, means that.
  function isTaken(event) {
    const on = event.target;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
    if (!(on instanceof Element)) return false;
    if (on.closest("textarea, select, [contenteditable], dialog, input:not([type=range])")) return true;
    return event.key === " " && on.closest("a[href], button, summary, [role=button]") !== null;
  }

  function onKey(event) {
    const act = KEYS[event.key];
    if (!act || isTaken(event)) return;
    event.preventDefault();
    act();
  }

  // --- the page ----------------------------------------------------------------------

  for (const figure of document.querySelectorAll("figure.player")) players.push(new Player(figure));
  current = players[0] || null;
  if (current && document.documentElement.dataset.keys !== "off") {
    document.addEventListener("keydown", onKey);
    for (const hint of document.querySelectorAll(".keys")) hint.hidden = false;
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const player of players) if (player.drawn) player.paint();
  });
  for (const button of document.querySelectorAll("button.print")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
