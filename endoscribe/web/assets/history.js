// @ts-check

// Earlier dictations: list, search, open, delete; and what this browser was working on, brought back after a reload, a
// crash or in another tab, with a recording that was cut short.

import { zone } from './local_time.js';
import { sendWhatWasLeftBehind } from './microphone.js';
import * as page from './page.js';
import { dropDraft } from './pending.js';

const ANSWER_MS = 250;

/** @type {HTMLElement} */
let element;
let isListing = false;
let isStale = false;
/** @type {string | null} */
let listed = null;
/** @type {(events: WorkEvents) => void} */
let giveTriggers;
/** @type {Promise<WorkEvents>} */
const triggers = new Promise((resolve) => {
  giveTriggers = resolve;
});
const tabs = new BroadcastChannel('endoscribe');

// The id of a session is kept, nothing of what was said.
/** @param {string} session */
export function remember(session) {
  if (!session) return;
  sessionStorage.setItem(page.CURRENT, session);
  localStorage.setItem(page.CURRENT, session);
  showNewButton(true);
}

/** @param {string} session */
function forget(session) {
  if (localStorage.getItem(page.CURRENT) === session) localStorage.removeItem(page.CURRENT);
  if (sessionStorage.getItem(page.CURRENT) === session) sessionStorage.removeItem(page.CURRENT);
}

/** @param {boolean} shown */
function showNewButton(shown) {
  const button = document.querySelector('#new-dictation');
  if (!button) return;
  button.hidden = !shown;
  button.onclick = putAway;
}

// For the next patient: nothing of this one stays on the screen.
function putAway() {
  if (page.isRecording()) {
    page.say('Press Stop first; then begin a new dictation.', 'error');
    return;
  }
  forget(page.session());
  sessionStorage.setItem(page.CURRENT, '');
  dropDraft();
  page.clear();
  triggers.then(({ closed }) => closed());
  showNewButton(false);
}

// The events of a part that is always there; the list itself may be folded away.
/** @param {WorkEvents} events */
export function mountWork(events) {
  giveTriggers(events);
}

/** @param {HTMLElement} mounted */
export function mountHistory(mounted) {
  element = mounted;
  element.addEventListener('click', ({ target }) => {
    const { session, procedure, delete: doomed } = target.closest('button')?.dataset ?? {};
    if (doomed) remove(doomed, /** @type {HTMLTableRowElement} */ (target.closest('tr')));
    else if (session && page.isRecording()) page.say('Press Stop first; then open another session.', 'error');
    else if (session) open(session, procedure, true);
  });
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    refresh();
  });
  element.addEventListener('input', () => {
    dim();
    refresh();
  });
  document.querySelector('#earlier button')?.addEventListener('click', refresh);
  refresh();
}

function searched() {
  const search = /** @type {HTMLInputElement} */ (element.querySelector('input[type=search]'));
  return search.value;
}

function filters() {
  const form = /** @type {HTMLFormElement} */ (element.querySelector('form.search'));
  const { procedure, state, since } = Object.fromEntries(new FormData(form));
  return { procedure, state, since: since || null };
}

// Lines in which what is searched for cannot be seen step back at once; the server, which also knows what was spoken, then
// says which of them go and which others come.
function dim() {
  const words = searched().toLowerCase().split(/\s+/).filter(Boolean);
  /** @type {NodeListOf<HTMLTableRowElement>} */
  const rows = element.querySelectorAll('.list tbody tr');
  for (const row of rows) {
    const line = [...row.cells]
      .slice(0, -1)
      .map((cell) => cell.textContent.toLowerCase())
      .join('\n');
    row.classList.toggle('unsure', !words.every((word) => line.includes(word)));
  }
}

// At once, but one at a time: whoever types on meanwhile is answered with all that they have typed.
export async function refresh() {
  isStale = true;
  const list = element?.querySelector('.list');
  if (isListing || !list) return;
  isListing = true;
  try {
    while (isStale) {
      isStale = false;
      const answer = await page.post('sessions/list', { search: searched(), zone: zone(), ...filters() });
      const rows = answer?.ok ? await answer.text() : null;
      if (rows !== null && rows !== listed) list.innerHTML = listed = rows;
      if (isStale) dim();
    }
  } finally {
    isListing = false;
    for (const row of element.querySelectorAll('.unsure')) row.classList.remove('unsure');
  }
}

// Whoever asked for a dictation is led to its report; after a reload one stays where one was.
/** @param {string} session @param {string} [procedure] */
function open(session, procedure, isAsked = false) {
  page.clear();
  if (procedure) page.chooseProcedure(procedure);
  if (isAsked) page.goToReport();
  triggers.then(({ opened }) => opened({ session }));
}

/** @param {string} session @param {HTMLTableRowElement} row */
async function remove(session, row) {
  const name = [...row.cells]
    .slice(0, 2)
    .map((cell) => cell.textContent)
    .join(', ');
  if (!window.confirm(`Delete the dictation of ${name}? Its recording, text and report are removed for good.`)) return;
  const answer = await page.ask(`sessions/${session}`, { method: 'DELETE' });
  if (!answer) return;
  if (answer.ok) {
    forget(session);
    if (page.session() === session) putAway();
    page.say('Deleted: the recording, its text and its report are gone.');
  } else page.say((await answer.json()).problem, 'error');
  refresh();
}

// -- bringing work back --------------------------------------------------------------------------------------------------

/** @param {MessageEvent} event */
tabs.onmessage = ({ data }) => {
  if (data.ask && page.isRecording() && page.theMicrophone()?.session === data.ask) {
    tabs.postMessage({ recording: data.ask });
  }
};

// Whether another tab of this browser is recording into the session right now.
/** @param {string} session @returns {Promise<boolean>} */
function isRecordedElsewhere(session) {
  const asking = new BroadcastChannel('endoscribe');
  return new Promise((resolve) => {
    asking.onmessage = ({ data }) => data.recording === session && resolve(true);
    asking.postMessage({ ask: session });
    setTimeout(() => resolve(false), ANSWER_MS);
  }).finally(() => asking.close());
}

export async function restore() {
  const microphone = await page.microphoneMounted;
  const standing = await whereItWas();
  const left = (await microphone.left).find((each) => each.session && each.session === standing?.session);
  // After a reload this tab goes on itself; what another tab left behind is sent and finished.
  const isInterrupted = standing && !standing.complete && ['recording', 'interrupted'].includes(standing.state);
  const isMine = isInterrupted && (!left || sessionStorage.getItem(page.CURRENT) === standing.session);
  sendWhatWasLeftBehind(microphone, isMine ? left : null);
  if (!standing || page.isRecording() || page.session() || (left && !isMine)) return; // somebody was faster
  showNewButton(true);
  if (!isInterrupted) open(standing.session, standing.procedure);
  else if (await isRecordedElsewhere(standing.session))
    page.say('This dictation is being recorded in another window of this browser.');
  else microphone.restore(standing, left);
}

// How the session stands that this tab, or else this browser, was working on; null when there is none any more.
/** @returns {Promise<Standing | null>} */
async function whereItWas() {
  const session = sessionStorage.getItem(page.CURRENT) ?? localStorage.getItem(page.CURRENT);
  if (!session) return null;
  const response = await fetch(page.base(`sessions/${session}`)).catch(() => null);
  if (response?.status === 404) forget(session);
  return response?.ok ? response.json() : null;
}

Object.assign(window.endoscribe, { remember, refreshHistory: refresh });
