// @ts-check

// Who uses this page, asked once when it loads.

const ANSWER_WITHIN_MS = 10_000; // a network that drops everything in silence gives no error

/** @type {Promise<Who>} */
const asked = fetch(new URL('who', document.baseURI))
  .then((answer) => (answer.ok ? answer.json() : {}))
  .catch(() => ({}));

// Going back shows a page as it was left, with its report, also after its reader has signed out: ask anew.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

// {user, visit}: a name, or null where nobody has to sign in; `visit` in a demonstration. Empty without an answer.
export const whoIsHere = () => asked;

// Why the page has to wait for its user to sign in again, as a sentence; '' when it need not, null when nobody can tell.
// A proxy that knows the users may send elsewhere to sign in.
/** @returns {Promise<string | null>} */
export async function signInProblem() {
  try {
    const answer = await fetch(new URL('who', document.baseURI), {
      cache: 'no-store',
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if ([401, 403].includes(answer.status) || answer.type === 'opaqueredirect') return 'Your sign-in has ended.';
    if (!answer.ok) return null;
    const [{ user: before }, { user: now }] = [await asked, await answer.json()];
    return !before || before === now ? '' : `Somebody else has signed in in this browser. Sign in as ${before} again.`;
  } catch {
    return null;
  }
}
