// The last step of the set-up: a call that arrives shows by itself. Without a script a reload shows it.
(() => {
  "use strict";

  const LOOK_EVERY_MS = 4000;
  let looking = false;

  // Asks for the page anew and takes over the one part that may have changed.
  async function look() {
    const here = document.getElementById("arrived");
    if (looking || document.hidden) return;
    looking = true;
    try {
      const answer = await fetch("/setup", { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const there = page.getElementById("arrived");
      if (there && there.dataset.newest !== here.dataset.newest) here.replaceWith(there);
    } catch {
      // Out of reach for a moment; the next look tells.
    } finally {
      looking = false;
    }
  }

  document.addEventListener("afterbeep:calls", look);
  document.addEventListener("visibilitychange", look);
  // Of calls that the assistant never has (turned away, or sent to plain voicemail) nobody is told.
  setInterval(look, LOOK_EVERY_MS);
})();
