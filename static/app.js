// What every page's frame does more nicely with a script than without: the menu closes by itself, and an
// undo goes away when its time is over.
(() => {
  "use strict";

  const UNDO_MS = 10_000;
  const FADE_MS = 400;

  const menu = document.getElementById("menu");

  function closeMenu() {
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary").focus();
  }

  if (menu) {
    document.addEventListener("click", (event) => {
      if (menu.open && !menu.contains(event.target)) menu.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.open) closeMenu();
    });
    menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
    });
  }

  // An undo stays while the pointer or the focus is on it: its time begins again afterwards.
  function letFade(note) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let timer = 0;

    function leave() {
      note.classList.add("leaving");
      timer = setTimeout(() => note.remove(), calm ? 0 : FADE_MS);
    }
    function hold() {
      clearTimeout(timer);
      note.classList.remove("leaving");
    }
    function begin() {
      clearTimeout(timer);
      if (!note.matches(":hover, :focus-within")) timer = setTimeout(leave, UNDO_MS);
    }

    for (const name of ["pointerenter", "focusin", "submit"]) note.addEventListener(name, hold);
    for (const name of ["pointerleave", "focusout"]) note.addEventListener(name, () => setTimeout(begin));
    begin();
  }

  document.querySelectorAll("[data-fades]").forEach(letFade);
})();
