// Reviewing: a cell up close, edited in place, confirmed, undone; rows; sign-off; versions. Each step is one request that
// names the state it was made on, and the answer is what the panels show from then on.

import { closeup, prepare } from './closeups.js';
import * as page from './page.js';
import { hear } from './evidence.js';
import { standIn } from './pending.js';

const NOT_TAKEN = 'The server could not take this change.';
const NOT_SAVED = 'This is not saved, or not for certain. Save it again once the server can be reached.';
const AFTER_ANOTHER = 'The change before this one was not made, so this one was not either.';
const ANOTHER_REPORT = 'Another report is on the screen now; your last change to the one before was not made.';
const STILL_SAVING = 'Your last edit is still being saved. Wait until it is there, then try again.';

let triggers = {};
let underWay = null; // the change that the server is making, as a promise of whether it was made

const recordElement = () => document.querySelector('#record .es-record');
const isEditable = () => recordElement()?.dataset.editable === 'true';
const section = () => document.querySelector('#review section.review');

function findCell(target, row) {
  return document.querySelector(`#record [data-field="${CSS.escape(target)}"][data-row="${row}"]`);
}

// -- a cell up close ---------------------------------------------------------------------------------------------------

// Whatever was unfolded stays so, however often the panel is filled anew.
function keepFolds(element) {
  const open = new Set();
  element.addEventListener(
    'toggle',
    ({ target }) => {
      if (!target.isConnected) return;
      if (target.open) open.add(target.dataset.fold);
      else open.delete(target.dataset.fold);
    },
    true,
  );
  new MutationObserver(() => {
    for (const details of element.querySelectorAll('details[data-fold]')) details.open = open.has(details.dataset.fold);
  }).observe(element, { childList: true, subtree: true });
}

export function mountRecord(element) {
  keepFolds(element);
  element.addEventListener('click', (event) => clicked(element, event));
  element.addEventListener('dblclick', ({ target }) => {
    const cell = target.closest('td[data-field]');
    if (cell && !target.closest('.editor')) openEditor(cell);
  });
  element.addEventListener('keydown', (event) => {
    const cell = event.target.closest('td[data-field]');
    if (!cell || event.target.closest('.editor')) return;
    if (event.key === 'F2' || (event.key === 'e' && !event.ctrlKey && !event.metaKey && !event.altKey)) {
      event.preventDefault();
      openEditor(cell);
    }
  });
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    save(event.target);
  });
}

function clicked(element, { target }) {
  const button = target.closest('button');
  if (target.closest('.editor')) {
    const { kind } = button?.dataset ?? {};
    if (kind) leaveEditor(target.closest('.editor'), kind);
  } else if (button?.matches('.es-decide')) decide();
  else if (button?.dataset.go) followDoubt(button);
  else if (button?.dataset.table) changeRows(button);
  else {
    const cell = target.closest('td[data-field]');
    if (!cell || cell.dataset.status === 'computed') return;
    if (button?.matches('.es-fill, .es-edit')) openEditor(cell);
    else if (cell.dataset.status !== 'empty') showEvidence(cell);
  }
}

export async function showEvidence(cell) {
  choose(cell);
  hear(cell.dataset);
  if (isEditable()) await showCard(cell);
}

function choose(cell) {
  document.querySelectorAll('#record [data-chosen]').forEach((other) => {
    other.removeAttribute('data-chosen');
    other.querySelector('.es-edit')?.remove();
  });
  cell.setAttribute('data-chosen', '');
  if (!isEditable() || cell.querySelector('.editor')) return;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'es-edit';
  button.textContent = 'Edit';
  button.title = 'Edit (e)';
  cell.append(' ', button);
}

async function showCard(cell) {
  const card = await closeup('cards', cell.dataset);
  if (!card || !document.contains(cell)) return;
  page.setPanel('evidence', card);
  await page.frame();
  keepInSight(cell);
}

// On a phone the card lies over the foot of the page. Nothing moves elsewhere: somebody may be about to click.
function keepInSight(cell) {
  const listening = document.getElementById('listening');
  const { top, bottom } = cell.getBoundingClientRect();
  const isHidden = bottom > listening.getBoundingClientRect().top && top < innerHeight;
  if (getComputedStyle(listening).position === 'fixed' && isHidden) {
    cell.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}

function closeCard(cell) {
  page.setPanel('evidence', '');
  cell?.removeAttribute('data-chosen');
  cell?.querySelector('.es-edit')?.remove();
  cell?.querySelector('button')?.focus({ preventScroll: true });
}

export function mountCard(element) {
  element.addEventListener('click', ({ target }) => {
    const action = target.closest('[data-card-do]')?.dataset.cardDo;
    const card = target.closest('.card');
    const cell = card && findCell(card.dataset.card, card.dataset.cardRow);
    if (action === 'close') closeCard(cell);
    if (action === 'close' || !action || !cell) return;
    reveal(cell);
    if (action === 'hear') hear(cell.dataset);
    else if (action === 'edit') openEditor(cell);
    else if (action === 'confirm') confirm(cell.dataset.field, cell.dataset.row);
  });
}

function decide() {
  const waiting = document.querySelector('#review .waiting');
  waiting?.scrollIntoView({ block: 'center' });
  waiting?.querySelector('button').focus({ preventScroll: true });
}

function followDoubt(button) {
  const { go, goRow } = button.dataset;
  const cell = findCell(go, goRow);
  if (button.matches('.es-confirm')) confirm(go, goRow);
  else if (cell) {
    reveal(cell);
    showEvidence(cell);
    cell.querySelector('button')?.focus();
  }
}

function reveal(cell) {
  const details = cell.closest('details');
  if (details) details.open = true;
  cell.scrollIntoView({ block: 'center', inline: 'nearest' });
}

// What is missing can be filled in from the checklist, too.
export function mountChecklist(element) {
  element.addEventListener('click', ({ target }) => {
    const gap = target.closest('[data-gap]')?.dataset.gap;
    if (!gap || !isEditable()) return;
    const cell = document.querySelector(`#record .es-gap[data-field="${CSS.escape(gap)}"]`);
    const adding = document.querySelector(`#record .es-add-row[data-table="${CSS.escape(gap)}"]`);
    if (cell ?? adding) reveal(cell ?? adding);
    if (cell) openEditor(cell);
    else adding?.focus();
  });
}

// -- editing in place ----------------------------------------------------------------------------------------------------

export async function openEditor(clicked) {
  if (!isEditable() || clicked.dataset.status === 'computed' || clicked.querySelector('.editor')) return;
  const cell = underWay ? await onceSaved(clicked) : clicked;
  if (!cell) return;
  document.querySelectorAll('#record .editor').forEach((form) => closeEditor(form));
  choose(cell);
  const html = await closeup('forms', cell.dataset);
  if (!html || !document.contains(cell) || cell.querySelector('.editor')) return;
  const shown = [...cell.childNodes];
  cell.innerHTML = html;
  const form = cell.querySelector('.editor');
  form.shown = shown;
  form.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    closeEditor(form, true);
  });
  form.querySelector('input, select')?.focus();
  if (cell.dataset.status !== 'empty') showCard(cell);
}

// The same cell after the change that is under way; none where that was not made: then its own form is open again.
async function onceSaved(cell) {
  choose(cell);
  while (underWay) if (!(await underWay)) return null;
  return findCell(cell.dataset.field, cell.dataset.row);
}

function closeEditor(form, refocus = false) {
  const cell = form.closest('td');
  cell.replaceChildren(...form.shown);
  if (refocus) cell.querySelector('button')?.focus();
}

function leaveEditor(form, kind) {
  if (kind === 'cancel') closeEditor(form, true);
  else edit(kind, form.dataset.editor, form.dataset.editorRow, null, form);
}

function save(form) {
  const values = new FormData(form).getAll('value');
  const value = form.dataset.type === 'multi' ? values : values[0];
  if (!value?.length) form.querySelector('.fault').textContent = 'Enter a value, or choose “Not stated”.';
  else edit('set', form.dataset.editor, form.dataset.editorRow, value, form);
}

const confirm = (target, row) => edit('confirm', target, row, null, null);

function edit(kind, target, row, value, form) {
  const pending = form && standIn(form, kind);
  return change('edits', { kind, target, row: row === '' ? null : Number(row), value }, { target, row, pending });
}

function changeRows(button) {
  const { table, tableRow } = button.dataset;
  if (tableRow === undefined) change('edits', { kind: 'add_row', target: table }, { table, button });
  else change('edits', { kind: 'remove_row', target: table, row: Number(tableRow) }, { button });
}

// -- one change ----------------------------------------------------------------------------------------------------------

// One after the other, each on the state that the one before has left; returns whether it was made. `focus` says where
// the keyboard goes on: a cell, or the last row of a table; `pending` stands in the cell meanwhile, or `button` is busy.
async function change(path, body, focus = {}) {
  const { session } = section()?.dataset ?? {};
  focus.button?.setAttribute('aria-busy', 'true');
  while (underWay) if (!(await underWay)) return refused(focus, AFTER_ANOTHER);
  underWay = make(session, path, body, focus);
  try {
    return await underWay;
  } finally {
    underWay = null;
  }
}

async function make(session, path, body, focus) {
  const { session: shown, revision } = section()?.dataset ?? {};
  if (shown !== session) return refused(focus, ANOTHER_REPORT);
  if (!session) return false;
  const answer = await page.post(`sessions/${session}/${path}`, { ...body, revision });
  if (!answer) return refused(focus);
  const { panels, problem } = await answer.json().catch(() => ({ problem: NOT_SAVED }));
  if (!panels) return refused(focus, problem ?? NOT_TAKEN);
  if (section()?.dataset.session !== session) return false; // another dictation has taken the page meanwhile
  await showPanels(panels, focus);
  if (problem) page.say(problem, 'error');
  else page.say(SAID[path]);
  triggers.edited?.({ session, decided: path === 'reading' });
  return answer.ok;
}

// Without a problem of its own the status line has said what is the matter.
function refused({ pending, button }, problem) {
  button?.removeAttribute('aria-busy');
  const isInItsForm = pending?.giveBack(problem ?? NOT_SAVED);
  if (problem && !isInItsForm) page.say(problem, 'error');
  return false;
}

const SAID = {
  edits: 'Saved. Undo takes it back.',
  undo: 'Taken back.',
  signature: 'Signed. The outputs say so from now on; a later edit starts a new version.',
  reading: 'Done.',
};

async function showPanels(panels, focus) {
  const scrolled = window.scrollY;
  const name = document.querySelector('#signer')?.value;
  const goesOn = whereTheyAre(focus);
  for (const [panel, html] of Object.entries(panels)) page.setPanel(panel, html);
  await page.frame();
  await page.frame();
  focus.pending?.settle();
  window.scrollTo(0, scrolled);
  const signer = document.querySelector('#signer:not([readonly])');
  if (signer && name) signer.value = name;
  const cell = goesOn.target ? findCell(goesOn.target, goesOn.row) : lastRowCell(goesOn.table);
  if (cell && cell.dataset.status !== 'empty') {
    choose(cell);
    showCard(cell);
  }
  const { keyboard = cell?.querySelector('button') ?? undoAgain(focus) } = goesOn;
  const next = keyboard?.isConnected ? keyboard : keyboard?.id && document.getElementById(keyboard.id);
  next?.focus({ preventScroll: true });
}

const undoAgain = ({ button }) => button?.dataset.review && document.querySelector('#review [data-review=undo]');

// Who has gone on to another cell, or somewhere else, while an entry was saved is left there.
function whereTheyAre(focus) {
  if (!focus.pending) return focus;
  const chosen = document.querySelector('#record [data-chosen]')?.dataset;
  const active = document.activeElement;
  const keyboard = active === document.body || active.closest('#record') ? undefined : active;
  return { target: chosen?.field ?? focus.target, row: chosen?.row ?? focus.row, keyboard };
}

function lastRowCell(table) {
  if (!table) return null;
  const cells = [...document.querySelectorAll(`#record [data-field^="${CSS.escape(table)}."]`)];
  const last = cells.at(-1)?.dataset.row;
  return cells.find((cell) => cell.dataset.row === last) ?? null;
}

// -- undo, sign-off, versions ----------------------------------------------------------------------------------------------

export function mountReview(element, events) {
  triggers = events;
  new MutationObserver(prepare).observe(element, { childList: true, subtree: true });
  // Gradio loads the page anew when its connection was lost; what could not be saved would go with it.
  addEventListener('beforeunload', (event) => {
    if (underWay || document.querySelector('#record .editor .fault:not(:empty)')) event.preventDefault();
  });
  element.addEventListener('click', ({ target }) => {
    const { review, choice } = target.closest('[data-review]')?.dataset ?? {};
    const button = target.closest('button');
    if (review === 'undo') change('undo', {}, { button });
    else if (review === 'reading') change('reading', { choice }, { button });
  });
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    const form = event.target;
    if (!form.matches('.sign')) compare(form);
    else if (isSettled() && isMeant()) change('signature', { name: form.elements.name.value }, { button: form.querySelector('button') });
  });
}

const isSaving = () => Boolean(document.querySelector('#record [data-status=saving]'));

// What is signed is what stands in the report: no entry is on its way there, and no form is open.
function isSettled() {
  const form = document.querySelector('#record .editor');
  if (isSaving()) page.say(STILL_SAVING, 'error');
  else if (form) {
    page.say('A cell is still open. Save it or cancel it, then sign.', 'error');
    form.querySelector('input, select')?.focus();
  }
  return !isSaving() && !form;
}

// A report in which something is open is signed only by whoever says so once more.
function isMeant() {
  const missing = document.querySelectorAll('#checklist .es-gap-item').length;
  const doubtful = document.querySelectorAll('#checks .es-eyes > .es-checks > li').length;
  const open = [
    missing && `${missing} required ${missing === 1 ? 'item is' : 'items are'} not stated`,
    doubtful && `${doubtful} ${doubtful === 1 ? 'needs' : 'need'} your eyes`,
  ].filter(Boolean);
  return !open.length || window.confirm(`Sign although ${open.join(' and ')}?`);
}

async function compare(form) {
  const { left, right } = form.elements;
  const answer = await page.ask(
    `sessions/${section().dataset.session}/comparison?left=${left.value}&right=${right.value}`,
  );
  if (answer?.ok) form.parentElement.querySelector('.comparison').innerHTML = await answer.text();
}

// -- the clipboard ---------------------------------------------------------------------------------------------------------

export function mountExports(element) {
  element.addEventListener('click', async (event) => {
    if (isSaving() && event.target.closest('a, button')) {
      event.preventDefault();
      page.say(STILL_SAVING, 'error');
      return;
    }
    const { url } = event.target.closest('#copy-note')?.dataset ?? {};
    if (!url) return;
    const text = page.ask(url).then((answer) => (answer?.ok ? answer.text() : Promise.reject(new Error('no note'))));
    try {
      await copy(text);
      page.say('The note is in the clipboard.');
    } catch {
      page.say('The note could not be copied. Open it below and copy it from there.', 'error');
    }
  });
}

// Safari only lets a click write what it is given at once, so the text goes in as a promise where that is understood.
async function copy(text) {
  if (window.ClipboardItem && navigator.clipboard?.write) {
    const blob = text.then((plain) => new Blob([plain], { type: 'text/plain' }));
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
  } else await navigator.clipboard.writeText(await text);
}
