/** The sign-in page, and the dialog for a session that has ended: what is on the page behind it is kept. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { asProblem } from "./problem.js";
import { readSession, session, signIn } from "./session.js";

/** The form; `done` is called when somebody has signed in. */
function signInForm(done) {
  const input = h("input", {
    id: "key",
    name: "key",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
    "aria-describedby": "key-hint key-error",
  });
  const error = h("p", { id: "key-error", class: "field-error", role: "alert" });
  const button = h("button", { class: "button primary", type: "submit" }, "Sign in");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    try {
      await signIn({ key: input.value.trim() });
      done();
    } catch (caught) {
      error.textContent = described(asProblem(caught));
      input.select();
    } finally {
      button.disabled = false;
    }
  };
  return h(
    "form",
    { class: "stack", onsubmit: submit },
    h("input", { type: "text", name: "username", autocomplete: "username", value: "Sallyport API key", hidden: true }),
    h("label", { for: "key" }, "API key"),
    input,
    h(
      "p",
      { id: "key-hint", class: "hint" },
      "The first key is in ",
      h("code", ".run/admin.key"),
      ". ",
      h("code", "sallyport dashboard"),
      " prints a link that signs in without it.",
    ),
    error,
    button,
  );
}

function described(problem) {
  if (problem.code === "key_unknown" || problem.code === "key_missing") return "No such key. Check that it was copied whole.";
  return [problem.message, problem.retryAfter ? `Try again in ${problem.retryAfter} s.` : problem.remedy].filter(Boolean).join(" ");
}

/**
 * Shows the sign-in page until somebody has signed in.
 * @param {Element} root
 * @param {string} [message] Why it is there: a code that was used already.
 */
export function signInPage(root, message) {
  document.title = "Sign in · Sallyport";
  return new Promise((resolve) => {
    root.replaceChildren(
      h(
        "main",
        { class: "sign-in", id: "main" },
        h(
          "div",
          { class: "sign-in-box" },
          h("h1", { class: "brand" }, icon("mark"), "Sallyport"),
          message && h("p", { class: "note warn", role: "status" }, message),
          signInForm(resolve),
        ),
      ),
    );
    root.querySelector("#key").focus();
  });
}

/** Asks to sign in over the page; a promise of whether somebody did. */
export function signInDialog() {
  return new Promise((resolve) => {
    const name = session.name;
    let isSignedIn = false;
    const finish = () => {
      isSignedIn = true;
      box.close();
    };
    // Another tab may have signed in meanwhile, which is for all.
    const look = () => readSession().then(finish, () => undefined);
    const box = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "sign-in-title" },
      h("h2", { id: "sign-in-title" }, name ? "Sign in again" : "Sign in"),
      name && h("p", `The session of ${name} has ended, or its key was revoked. What is on the page is kept.`),
      signInForm(finish),
      h("button", { class: "button quiet", type: "button", onclick: () => box.close() }, "Not now"),
    );
    addEventListener("focus", look);
    box.addEventListener("close", () => {
      removeEventListener("focus", look);
      box.remove();
      resolve(isSignedIn);
    });
    document.body.append(box);
    box.showModal();
    box.querySelector("#key").focus();
  });
}
