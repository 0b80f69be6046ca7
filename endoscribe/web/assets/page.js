// What the parts of the page share: panels that Python and the browser both fill, the status line, the live text, and
// the one microphone. Evidence, review, history and keys have modules of their own.

import './local_time.js';
import { signInProblem, whoIsHere } from './who.js';

const HEALTH_EVERY_MS = 2000;
export const CURRENT = 'endoscribe.storage.session'; // where the browser keeps which dictation it is at work on
const ANSWER_WITHIN_MS = 30_000; // a network that drops everything in silence gives no error
const SIGN_IN_EVERY_MS = 5000;
const STATUS_ICONS = { error: '! ', info: '' };
// What belongs to one dictation, and goes from the screen before another one comes.
const DICTATION_PANELS = ['record', 'checklist', 'checks', 'transcript', 'review', 'exports', 'evidence', 'player'];

const panels = {};
let microphone = null;
let chosenProcedure = null;
let liveWords = [];

export const base = (path) => new URL(path, document.baseURI);
export const frame = () => new Promise(requestAnimationFrame);

// A panel's value is changed through Gradio's own props, so that Gradio and this page never disagree on what is shown.
export function addPanel(name, element, props) {
  panels[name] = { element, props };
  if (name === 'status') announce(element);
}

export function setPanel(name, html) {
  if (panels[name]) panels[name].props.value = html;
}

export function panel(name) {
  return panels[name]?.element ?? null;
}

// Whatever the status line says is read out once nobody is speaking.
function announce(element) {
  element.setAttribute('role', 'status');
  element.setAttribute('aria-live', 'polite');
}

let microphoneIsThere;
export const microphoneMounted = new Promise((resolve) => {
  microphoneIsThere = resolve;
});

export function setMicrophone(mounted) {
  microphone = mounted;
  microphoneIsThere();
}

export function theMicrophone() {
  return microphone;
}

export function procedure() {
  return chosenProcedure;
}

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

// The session on the screen, as Python knows it.
export function session() {
  return document.querySelector('#session textarea, #session input')?.value ?? '';
}

// An upload would take the place of what is being recorded.
export function allowUpload(allowed) {
  document.querySelector('#upload input[type=file]')?.toggleAttribute('disabled', !allowed);
}

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
  document.querySelector('#player audio')?.pause();
  for (const name of DICTATION_PANELS) setPanel(name, '');
}

export function showLive({ from_word: first, committed, tentative }) {
  const box = document.querySelector('#live-text .text');
  if (!box) return;
  liveWords = [...liveWords.slice(0, first), ...committed];
  box.querySelector('.committed').textContent = liveWords.join(' ');
  box.querySelector('.tentative').textContent = tentative ? ` ${tentative}` : '';
  box.dataset.empty = String(!liveWords.length && !tentative);
  box.scrollTop = box.scrollHeight;
}

export function showPreview({ record, checklist, checks }) {
  setPanel('record', record);
  setPanel('checklist', checklist);
  setPanel('checks', checks);
}

let samplesAreThere;
const samplesMounted = new Promise((resolve) => {
  samplesAreThere = resolve;
});

export function mountSamples(element, events) {
  samplesAreThere();
  element.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-url]');
    if (!button) return;
    if (isRecording()) {
      say('Press Stop first; then choose a sample.', 'error');
      return;
    }
    const { url, procedure: id, title } = button.dataset;
    events.chosen({ procedure: id });
    chosenProcedure = id;
    microphone.playSample({ url, procedure: id, title });
  });
}

export function submit() {
  document.querySelector('#submit')?.click();
}

// Asks the server; a failure is told on the status line and gives null.
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

function aboutModels({ status, whisper_model: whisper, extractor }) {
  if (status === 'starting') return 'The speech model is loading; you can record already.';
  if (status === 'unhealthy') return 'The speech model is not available.';
  return `Speech: ${whisper}. Reader: ${extractor}.`;
}

window.endoscribe = { chooseProcedure, finishForSubmit, isRecording, clear, say };

// Says who is signed in, and lets them leave.
async function showWho() {
  const { user, visit } = await whoIsHere();
  const form = document.querySelector('#leave');
  if (!form || !(user || visit)) return;
  form.querySelector('.who').textContent = user ?? '';
  if (visit) form.querySelector('button').textContent = 'End the visit';
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
export async function start(id) {
  await samplesMounted;
  chooseProcedure(id);
  showWho();
  const input = document.querySelector('#upload input[type=file]');
  if (input) input.accept = 'audio/*,video/webm,video/mp4,.wav,.mp3,.m4a,.flac,.ogg,.webm';
  watchHealth();
  (await import('./history.js')).restore();
}
