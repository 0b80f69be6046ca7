// What the parts of the page share: panels that Python and the microphone both fill, the live text, and the evidence
// of a cell, which is played and lit without asking the server.

const EVIDENCE_LEAD_S = 0.5;
const EVIDENCE_TAIL_S = 0.3;
const HEALTH_EVERY_MS = 2000;
const STATUS_ICONS = { error: '! ', info: '' };

const panels = {};
let microphone = null;
let player = null;
let playUntil = null;
let chosenProcedure = null;
let liveWords = [];

// A panel's value is changed through Gradio's own props, so that Gradio and this page never disagree on what is shown.
export function addPanel(name, element, props) {
  panels[name] = { element, props };
}

export function setPanel(name, html) {
  if (panels[name]) panels[name].props.value = html;
}

export function setMicrophone(mounted) {
  microphone = mounted;
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

export function playSample(sample) {
  return microphone.playSample(sample);
}

export function isRecording() {
  return Boolean(microphone?.isActive);
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

// For a new recording: nothing of the last one stays on the screen.
export function clear() {
  liveWords = [];
  showLive({ from_word: 0, committed: [], tentative: '' });
  for (const name of ['record', 'checklist', 'checks', 'transcript', 'note', 'exports']) setPanel(name, '');
  setPlayer('');
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

export function mountPlayer(element, props) {
  addPanel('player', element, props);
  element.addEventListener('timeupdate', stopAtEnd, true);
}

// The audio element itself, whatever the panel has rendered since.
function audio() {
  player = panels.player?.element.querySelector('audio') ?? null;
  return player;
}

function setPlayer(html) {
  playUntil = null;
  audio()?.pause();
  setPanel('player', html);
}

export function play(startS, endS) {
  const element = audio();
  if (!element || Number.isNaN(startS)) return;
  element.currentTime = Math.max(0, startS - EVIDENCE_LEAD_S);
  playUntil = Number.isNaN(endS) ? null : endS + EVIDENCE_TAIL_S;
  element.play().catch(() => {}); // a second click while the first still loads ends the first
}

function stopAtEnd() {
  if (playUntil !== null && player && player.currentTime >= playUntil) {
    player.pause();
    playUntil = null;
  }
}

// Cells carry data-start, data-end (characters) and data-start-s, data-end-s (seconds); words carry the same.
export function mountEvidence(element) {
  element.addEventListener('click', (event) => {
    const cell = event.target.closest('[data-field][data-start]');
    if (cell && element.contains(cell) && cell.dataset.start !== '') showEvidence(element, cell);
  });
  element.addEventListener('keydown', (event) => {
    const cell = event.target.closest('[data-field][data-start]');
    if (cell && cell.tagName !== 'BUTTON' && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      showEvidence(element, cell);
    }
  });
}

function showEvidence(element, cell) {
  element.querySelectorAll('[data-chosen]').forEach((other) => other.removeAttribute('data-chosen'));
  cell.setAttribute('data-chosen', '');
  light(Number(cell.dataset.start), Number(cell.dataset.end));
  if (cell.dataset.startS) play(Number(cell.dataset.startS), Number(cell.dataset.endS));
}

function light(start, end) {
  let first = null;
  for (const word of document.querySelectorAll('#transcript [data-start]')) {
    const lit = Number(word.dataset.start) < end && Number(word.dataset.end) > start;
    word.classList.toggle('lit', lit);
    if (lit) first ??= word;
  }
  const box = first?.closest('.words');
  if (box) box.scrollTop = first.offsetTop - box.offsetTop - box.clientHeight / 3;
}

export function mountTranscript(element) {
  element.addEventListener('click', (event) => {
    const word = event.target.closest('[data-start-s]');
    if (word) play(Number(word.dataset.startS) + EVIDENCE_LEAD_S, NaN);
  });
}

export function mountSamples(element, events) {
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
    playSample({ url, procedure: id, title });
  });
}

export function mountHistory(element, events) {
  element.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-session]');
    if (!button) return;
    if (isRecording()) say('Press Stop first; then open another session.', 'error');
    else {
      clear();
      events.opened({ session: button.dataset.session });
    }
  });
}

window.endoscribe = { chooseProcedure, finishForSubmit, isRecording, clear, say };

// Watches the models warm up and says in the footer which ones answer.
async function watchHealth() {
  let health;
  try {
    health = await (await fetch(new URL('health', document.baseURI))).json();
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

export function start(id) {
  chooseProcedure(id);
  const input = document.querySelector('#upload input[type=file]');
  if (input) input.accept = 'audio/*,video/webm,video/mp4,.wav,.mp3,.m4a,.flac,.ogg,.webm';
  watchHealth();
}
