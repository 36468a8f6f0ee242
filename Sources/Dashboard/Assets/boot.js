/**
 * Loads the page again when its modules or styles could not be loaded. This is no module: it works where none does.
 * The app sends the event `started` to the document when all of its modules are there.
 */
(() => {
  const NAME = "sallyport-loads";
  /** Seconds before each of the next loads. */
  const PAUSES = [1, 3, 10, 30];
  const PATIENCE = 20_000;
  let timer = setTimeout(() => again("The dashboard takes long to load."), PATIENCE);
  let isToBeLoaded = false;

  /** Loads of this tab in a row that have failed; -1 where the browser keeps nothing, so that nothing is loaded again by itself. */
  function failures() {
    try {
      return Number(sessionStorage.getItem(NAME) ?? 0);
    } catch {
      return -1;
    }
  }

  function again(reason) {
    if (isToBeLoaded) return;
    isToBeLoaded = true;
    clearTimeout(timer);
    const count = failures();
    const pause = PAUSES[count];
    if (pause) {
      sessionStorage.setItem(NAME, String(count + 1));
      timer = setTimeout(() => location.reload(), pause * 1000);
    }
    tell(reason, pause ? `It is loaded again in ${pause} s.` : "Check that the controller runs and that this machine reaches it.");
  }

  function tell(...sentences) {
    const box = document.createElement("p");
    box.className = "boot";
    box.setAttribute("role", "alert");
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Load it now";
    box.append(`${sentences.join(" ")} `, link);
    const show = () => document.getElementById("app").replaceChildren(box);
    if (document.getElementById("app")) show();
    else document.addEventListener("DOMContentLoaded", show);
  }

  addEventListener(
    "error",
    ({ target }) => {
      const isStyle = target instanceof HTMLLinkElement && target.rel === "stylesheet";
      if (isStyle || target instanceof HTMLScriptElement) again("A part of the dashboard could not be loaded.");
    },
    true,
  );
  document.addEventListener("started", () => {
    clearTimeout(timer);
    if (!isToBeLoaded && failures() > 0) sessionStorage.removeItem(NAME);
  });
})();
