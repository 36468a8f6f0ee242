/** Light, dark, or as the system says. The choice is kept in this browser. */

const NAME = "sallyport-theme";

/** @returns {"light" | "dark" | "system"} */
export const theme = () => /** @type {any} */ (localStorage.getItem(NAME)) ?? "system";

/** Puts the choice into force. */
export function applyTheme() {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/** @param {"light" | "dark" | "system"} chosen */
export function setTheme(chosen) {
  if (chosen === "system") localStorage.removeItem(NAME);
  else localStorage.setItem(NAME, chosen);
  applyTheme();
}
