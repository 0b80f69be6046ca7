// @ts-check

// What the parts of the page share: panels that Python and the browser both fill, the status line, the live text, and
// the one microphone. Evidence, review, history and keys have modules of their own.

import './local_time.js';
import { dropDraft } from './pending.js';
import { signInProblem, whoIsHere } from './who.js';

const HEALTH_EVERY_MS = 2000;
export const CURRENT = 'endoscribe.storage.session'; // where the browser keeps which dictation it is at work on
const ANSWER_WITHIN_MS = 30_000; // a network that drops everything in silence gives no error
const SIGN_IN_EVERY_MS = 5000;
const STATUS_ICONS = { error: '! ', info: '' };
// What belongs to one dictation, and goes from the screen before another one comes.
const DICTATION_PANELS = [
  'record',
  'checklist',
  'checks',
  'unfiled',
  'transcript',
  'review',
  'exports',
  'evidence',
  'player',
];

/** @type {Record<string, { element: HTMLElement, props: PanelProps }>} */
const panels = {};
/** @type {TheMicrophone | null} */
let microphone = null;
/** @type {string | null} */
let chosenProcedure = null;
/** @type {string | null} */
let isSampleChosen = null; // a sample's procedure is known, whatever its words are
/** @type {string[]} */
let liveWords = [];

/** @param {string} path */
export const base = (path) => new URL(path, document.baseURI);
export const frame = () => new Promise(requestAnimationFrame);

// A panel's value is changed through Gradio's own props, so that Gradio and this page never disagree on what is shown.
/** @param {string} name @param {HTMLElement} element @param {PanelProps} props */
export function addPanel(name, element, props) {
  panels[name] = { element, props };
  if (name === 'status') announce(element);
}

/** @param {string} name @param {string} html */
export function setPanel(name, html) {
  if (panels[name]) panels[name].props.value = html;
}

/** @param {string} name */
export function panel(name) {
  return panels[name]?.element ?? null;
}

// Whatever the status line says is read out once nobody is speaking.
/** @param {HTMLElement} element */
function announce(element) {
  element.setAttribute('role', 'status');
  element.setAttribute('aria-live', 'polite');
}

/** @type {(microphone: TheMicrophone) => void} */
let microphoneIsThere;
/** @type {Promise<TheMicrophone>} */
export const microphoneMounted = new Promise((resolve) => {
  microphoneIsThere = resolve;
});

/** @param {TheMicrophone} mounted */
export function setMicrophone(mounted) {
  microphone = mounted;
  microphoneIsThere(mounted);
}

export function theMicrophone() {
  return microphone;
}

export function procedure() {
  return chosenProcedure;
}

/** @param {string} id */
export function chooseProcedure(id) {
  chosenProcedure = id;
  microphone?.chooseProcedure(id);
}

export function finishForSubmit() {
  return microphone ? microphone.finishForSubmit() : null;
}

export function isRecording() {
  return Boolean(microphone?.isActive);
}

// What the server's HTML always has.
/** @param {HTMLElement} element @param {string} selector */
function part(element, selector) {
  return /** @type {HTMLElement} */ (element.querySelector(selector));
}

// The session on the screen, as Python knows it.
export function session() {
  /** @type {HTMLInputElement | HTMLTextAreaElement | null} */
  const field = document.querySelector('#session textarea, #session input');
  return field?.value ?? '';
}

// An upload would take the place of what is being recorded.
/** @param {boolean} allowed */
export function allowUpload(allowed) {
  document.querySelector('#upload input[type=file]')?.toggleAttribute('disabled', !allowed);
}

/** @param {string} text @param {'info' | 'error'} [kind] */
export function say(text, kind = 'info') {
  const line = document.createElement('p');
  line.className = kind;
  line.textContent = STATUS_ICONS[kind] + text;
  setPanel('status', line.outerHTML);
}

// For another dictation: nothing of the last one stays on the screen.
export function clear() {
  liveWords = [];
  showLive({ from_word: 0, committed: [], tentative: '' });
  /** @type {HTMLAudioElement | null} */
  const player = document.querySelector('#player audio');
  player?.pause();
  for (const name of DICTATION_PANELS) setPanel(name, '');
}

/** @param {Omit<LiveMessage, 'type'>} live */
export function showLive({ from_word: first, committed, tentative }) {
  const box = document.querySelector('#live-text .text');
  if (!box) return;
  liveWords = [...liveWords.slice(0, first), ...committed];
  part(box, '.committed').textContent = liveWords.join(' ');
  part(box, '.tentative').textContent = tentative ? ` ${tentative}` : '';
  box.dataset.empty = String(!liveWords.length && !tentative);
  box.scrollTop = box.scrollHeight;
}

/** @param {PreviewMessage} preview */
export function showPreview({ record, checklist, checks }) {
  setPanel('record', record);
  setPanel('checklist', checklist);
  setPanel('checks', checks);
}

/** @type {(value?: unknown) => void} */
let samplesAreThere;
const samplesMounted = new Promise((resolve) => {
  samplesAreThere = resolve;
});

/** @param {HTMLElement} element @param {{ chosen(data: { procedure: string }): void }} events */
export function mountSamples(element, events) {
  samplesAreThere();
  element.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-url]');
    if (!button) return;
    if (isRecording()) {
      say('Press Stop first; then choose a sample.', 'error');
      return;
    }
    const { url = '', procedure: id = '', title = '' } = button.dataset;
    events.chosen({ procedure: id });
    chosenProcedure = isSampleChosen = id;
    microphone?.playSample({ url, procedure: id, title });
  });
}

// Whether a report is on the screen that somebody may be reading.
export function hasReport() {
  return Boolean(document.querySelector('#record .es-record[data-editable=true]'));
}

// A new dictation takes the place of the report on the screen; that one stays among the earlier dictations.
export async function mayStartOver() {
  if (!hasReport()) return true;
  const answer = await choose('A report is on the screen. It is kept under Earlier dictations.', {
    start: 'Start a new dictation',
    '': 'Stay with this report',
  });
  return answer === 'start';
}

// A question with an answer a button; '' for whoever closes it.
/** @param {string} text @param {Record<string, string>} answers @returns {Promise<string>} */
export function choose(text, answers) {
  const dialog = document.createElement('dialog');
  dialog.className = 'question';
  dialog.setAttribute('aria-label', text);
  const line = document.createElement('p');
  line.textContent = text;
  const form = document.createElement('form');
  form.method = 'dialog';
  for (const [value, label] of Object.entries(answers)) {
    const button = document.createElement('button');
    button.value = value;
    button.textContent = label;
    form.append(button);
  }
  dialog.append(line, form);
  document.querySelector('.gradio-container')?.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

// The procedure to report on: the chosen one, or the one that the words fit far better; '' for whoever thinks again.
/** @param {string} session @param {string} id */
async function fittingProcedure(session, id) {
  const fitting = await askForFit(session, id);
  if (fitting && isNarrow()) goToReport();
  return fitting;
}

/** @param {string} session @param {string} id @returns {Promise<string>} */
async function askForFit(session, id) {
  if (!session || isSampleChosen === id) return id;
  const answer = await fetch(base(`sessions/${session}/fit?procedure=${encodeURIComponent(id)}`)).catch(() => null);
  const { better = null } = answer?.ok ? await answer.json() : {};
  if (!better) return id;
  const mine = procedureTitle() || 'the chosen procedure';
  return choose(`These words fit ${better.title} far better than ${mine}.`, {
    [better.id]: `Make the report as ${better.title}`,
    [id]: `Stay with ${mine}`,
    '': 'Cancel',
  });
}

function procedureTitle() {
  /** @type {HTMLInputElement | null} */
  const input = document.querySelector('#procedure input');
  return input?.value ?? '';
}

const FRAMES_TO_SETTLE = 4; // the panels come one after the other, and each moves those below it
const NARROW = '(max-width: 760px)';

// Once the report is there, its top is on the screen and its heading has the focus.
export function goToReport() {
  const report = /** @type {HTMLElement} */ (document.querySelector('#report'));
  const seen = new MutationObserver(async () => {
    if (!hasReport() || !document.querySelector('#exports a')) return;
    seen.disconnect();
    for (let settling = 0; settling < FRAMES_TO_SETTLE; settling++) await frame();
    const heading = report.querySelector('.es-title');
    heading?.focus({ preventScroll: true });
    const top = report.querySelector('#checks') ?? heading;
    (isNarrow() ? top : document.querySelector('.masthead'))?.scrollIntoView({ block: 'start' });
  });
  seen.observe(report, { childList: true, subtree: true });
  addEventListener('keydown', () => seen.disconnect(), { once: true, capture: true }); // they have gone on themselves
}

export const isNarrow = () => matchMedia(NARROW).matches;

export function submit() {
  document.querySelector('#submit')?.click();
}

// Asks the server; a failure is told on the status line and gives null.
/** @param {string} path @param {RequestInit} [options] */
export async function ask(path, options = {}) {
  try {
    const response = await fetch(base(path), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS), ...options });
    if (response.ok || response.status === 409 || response.status === 422) return response;
    const { problem } = await response.json().catch(() => ({}));
    say(problem ?? 'The server could not answer. Try again.', 'error');
  } catch {
    say('The server cannot be reached. Check the connection and try again; nothing is lost.', 'error');
  }
  return null;
}

/** @param {string} path @param {unknown} body @param {string} [method] */
export function post(path, body, method = 'POST') {
  return ask(path, { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}

// Watches the models warm up and says in the footer which ones answer.
async function watchHealth() {
  let health;
  try {
    health = await (await fetch(base('health'))).json();
  } catch {
    setTimeout(watchHealth, HEALTH_EVERY_MS);
    return;
  }
  const line = document.querySelector('#models');
  if (line) line.textContent = aboutModels(health);
  if (health.status === 'starting') setTimeout(watchHealth, HEALTH_EVERY_MS);
  if (health.status === 'unhealthy') say(health.problem ?? 'The speech model could not be loaded.', 'error');
}

/** @param {{ status: string, whisper_model: string | null, extractor: string | null }} health */
function aboutModels({ status, whisper_model: whisper, extractor }) {
  if (status === 'starting') return 'The speech model is loading; you can record already.';
  if (status === 'unhealthy') return 'The speech model is not available.';
  const reader = extractor === 'offline' ? 'Working offline on this computer.' : `Values are read by ${extractor}.`;
  return `${reader} Speech model: ${whisper}.`;
}

window.endoscribe = { fittingProcedure, chooseProcedure, finishForSubmit, isRecording, clear, say };

// -- light or dark, and which page of the two ----------------------------------------------------------------------------

const THEME = 'endoscribe.theme';

function chooseTheme() {
  const chosen = localStorage.getItem(THEME);
  if (chosen) document.body.classList.toggle('dark', chosen === 'dark');
  const button = document.querySelector('#theme-switch');
  if (!button) return;
  button.onclick = () => {
    const isDark = document.body.classList.toggle('dark');
    localStorage.setItem(THEME, isDark ? 'dark' : 'light');
  };
}

document.documentElement.dataset.view = new URL(location.href).searchParams.get('view') ?? 'dictation';

// Says who is signed in, and lets them leave.
async function showWho() {
  const { user, visit } = await whoIsHere();
  const form = document.querySelector('#leave');
  if (!form || !(user || visit)) return;
  part(form, '.who').textContent = user ?? '';
  if (visit) part(form, 'button').textContent = 'End the visit';
  form.addEventListener('submit', dropDraft); // who comes next at this tab must not find what was typed
  form.hidden = false;
  if (user) watchSignIn();
}

// Somebody may sign out at another page, here or elsewhere, or be let in no more.
function watchSignIn() {
  const ask = async () => {
    const why = document.hidden ? null : await signInProblem();
    if (why !== null) microphone?.mustSignIn(why);
  };
  setInterval(ask, SIGN_IN_EVERY_MS);
  addEventListener('focus', ask);
  document.addEventListener('visibilitychange', ask);
}

// Once a procedure is chosen the microphone can be started; then all the rest answers, too.
/** @param {string} id */
export async function start(id) {
  await samplesMounted;
  chooseProcedure(id);
  showWho();
  chooseTheme();
  /** @type {HTMLInputElement | null} */
  const input = document.querySelector('#upload input[type=file]');
  if (input) input.accept = 'audio/*,video/webm,video/mp4,.wav,.mp3,.m4a,.flac,.ogg,.webm';
  watchHealth();
  (await import('./history.js')).restore();
}
