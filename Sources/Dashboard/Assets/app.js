/** The dashboard's start: the theme, then who is signed in, then the shell around the page of the address. */

import { tick } from "./lib/format.js";
import { live } from "./lib/live.js";
import { asProblem } from "./lib/problem.js";
import { pageAt, readPages } from "./lib/router.js";
import { askBySignInDialog, readSession, signIn, takeCode } from "./lib/session.js";
import { Shell } from "./lib/shell.js";
import { signInDialog, signInPage } from "./lib/signin.js";
import { applyTheme } from "./lib/theme.js";
import { path } from "./lib/url.js";

const root = document.getElementById("app");

/** Signs in by the code of the address, by the cookie, or by a key; returns when the page of the address may be shown. */
async function start() {
  const code = takeCode();
  let message;
  if (code) {
    try {
      return await signIn({ code });
    } catch (error) {
      message = `This link can't sign in: ${asProblem(error).message}`;
    }
  }
  try {
    await readSession();
  } catch (error) {
    const problem = asProblem(error);
    if (problem.status !== 401) message = problem.message;
    else if (!message && (await isOpen())) return;
    else if (problem.code === "session_ended") message ??= "The session has ended. Sign in to go on with this page.";
    await signInPage(root, message);
  }
}

/** Whether the page of the address needs nobody to be signed in. */
async function isOpen() {
  await readPages();
  return (await pageAt(path()))?.role === "";
}

document.dispatchEvent(new Event("started"));
applyTheme();
await start();
askBySignInDialog(async () => {
  const isSignedIn = await signInDialog();
  if (isSignedIn) live.retry();
  return isSignedIn;
});
new Shell(root).start();
setInterval(tick, 1000);
