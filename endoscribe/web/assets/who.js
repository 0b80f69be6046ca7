// Who uses this page, asked once when it loads.

const asked = fetch(new URL('who', document.baseURI))
  .then((answer) => (answer.ok ? answer.json() : {}))
  .catch(() => ({}));

// {user, visit}: a name, or null where nobody has to sign in; `visit` in a demonstration. Empty without an answer.
export const whoIsHere = () => asked;
