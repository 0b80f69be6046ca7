// @ts-check

// Reviewing: a cell up close, edited in place, confirmed, undone; rows; sign-off; versions. Each step is one request that
// names the state it was made on, and the answer is what the panels show from then on.

import { closeup, prepare } from './closeups.js';
import * as page from './page.js';
import { hear } from './evidence.js';
import { dropDraft, fault, keepDraft, standIn, takeDraft } from './pending.js';

const NOT_TAKEN = 'The server could not take this change.';
const NOT_SAVED = 'This is not saved, or not for certain. Save it again once the server can be reached.';
const AFTER_ANOTHER = 'The change before this one was not made, so this one was not either.';
const ANOTHER_REPORT = 'Another report is on the screen now; your last change to the one before was not made.';
const STILL_SAVING = 'Your last edit is still being saved. Wait until it is there, then try again.';

/** @type {ReviewEvents} */
let triggers = {};
/** @type {Promise<boolean> | null} */
let underWay = null; // the change that the server is making, as a promise of whether it was made

const recordElement = () => document.querySelector('#record .es-record');
export const isEditable = () => recordElement()?.dataset.editable === 'true';
const section = () => document.querySelector('#review section.review');

/** @param {string} target @param {string | undefined} row */
function findCell(target, row) {
  return document.querySelector(`#record [data-field="${CSS.escape(target)}"][data-row="${row}"]`);
}

// -- a cell up close ---------------------------------------------------------------------------------------------------

// Whatever was unfolded stays so, however often the panel is filled anew.
/** @param {HTMLElement} element */
function keepFolds(element) {
  const open = new Set();
  const known = new WeakSet();
  element.addEventListener(
    'toggle',
    ({ target }) => {
      const details = /** @type {HTMLDetailsElement} */ (target);
      if (!details.isConnected) return;
      if (details.open) open.add(details.dataset.fold);
      else open.delete(details.dataset.fold);
    },
    true,
  );
  new MutationObserver(() => {
    /** @type {NodeListOf<HTMLDetailsElement>} */
    const folds = element.querySelectorAll('details[data-fold]');
    for (const details of folds) {
      if (!known.has(details)) details.open = open.has(details.dataset.fold);
      known.add(details);
    }
  }).observe(element, { childList: true, subtree: true });
}

/** @param {HTMLElement} element */
export function mountRecord(element) {
  keepFolds(element);
  element.addEventListener('click', clicked);
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
    save(/** @type {Editor} */ (event.target));
  });
}

/** @param {{ target: HTMLElement }} event */
function clicked({ target }) {
  const button = target.closest('button');
  /** @type {Editor | null} */
  const form = target.closest('.editor');
  if (form) {
    const { kind } = button?.dataset ?? {};
    if (kind) leaveEditor(form, kind);
  } else if (button?.matches('.es-decide')) decide();
  else if (button?.dataset.go) followDoubt(button);
  else if (button?.dataset.table) changeRows(button);
  else if (button?.dataset.normal) change('edits', { kind: 'normal', target: button.dataset.normal }, { button });
  else {
    const cell = target.closest('td[data-field]');
    if (!cell || cell.dataset.status === 'computed') return;
    if (button?.matches('.es-fill, .es-edit')) openEditor(cell);
    else if (cell.dataset.status !== 'empty') showEvidence(cell);
  }
}

/** @param {HTMLElement} cell */
export async function showEvidence(cell) {
  choose(cell);
  hear(cell.dataset);
  if (isEditable()) await showCard(cell);
}

/** @param {HTMLElement} cell */
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

/** @param {HTMLElement} cell */
async function showCard(cell) {
  const card = await closeup('cards', cell.dataset);
  if (!card || !document.contains(cell)) return;
  page.setPanel('evidence', card);
  await page.frame();
  if (page.isNarrow()) document.querySelector('#evidence .card-more')?.removeAttribute('open');
  keepInSight(cell);
}

// On a phone the card lies over the foot of the page. Nothing moves elsewhere: somebody may be about to click.
/** @param {HTMLElement} cell */
function keepInSight(cell) {
  const listening = /** @type {HTMLElement} */ (document.getElementById('listening'));
  const { top, bottom } = cell.getBoundingClientRect();
  const isHidden = bottom > listening.getBoundingClientRect().top && top < innerHeight;
  if (getComputedStyle(listening).position === 'fixed' && isHidden) {
    cell.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}

/** @param {HTMLElement | null} cell */
function closeCard(cell) {
  page.setPanel('evidence', '');
  cell?.removeAttribute('data-chosen');
  cell?.querySelector('.es-edit')?.remove();
  cell?.querySelector('button')?.focus({ preventScroll: true });
}

/** @param {HTMLElement} element */
export function mountCard(element) {
  element.addEventListener('click', ({ target }) => {
    const action = target.closest('[data-card-do]')?.dataset.cardDo;
    const card = target.closest('.card');
    const cell = card && findCell(card.dataset.card ?? '', card.dataset.cardRow);
    if (action === 'close') closeCard(cell);
    if (action === 'close' || !action || !cell) return;
    reveal(cell);
    if (action === 'hear') hear(cell.dataset);
    else if (action === 'edit') openEditor(cell);
    else if (action === 'confirm') confirm(cell.dataset.field ?? '', cell.dataset.row);
  });
}

function decide() {
  const waiting = document.querySelector('#review .waiting');
  waiting?.scrollIntoView({ block: 'center' });
  waiting?.querySelector('button')?.focus({ preventScroll: true });
}

/** @param {HTMLElement} button */
function followDoubt(button) {
  const { go = '', goRow } = button.dataset;
  const cell = findCell(go, goRow);
  if (button.matches('.es-confirm')) confirm(go, goRow);
  else if (cell) {
    reveal(cell);
    showEvidence(cell);
    cell.querySelector('button')?.focus();
  }
}

/** @param {HTMLElement} cell */
function reveal(cell) {
  const details = cell.closest('details');
  if (details) details.open = true;
  cell.scrollIntoView({ block: 'center', inline: 'nearest' });
}

// What is missing can be filled in from the checklist, too.
/** @param {HTMLElement} element */
export function mountChecklist(element) {
  keepFolds(element);
  element.addEventListener('click', ({ target }) => {
    const gap = target.closest('[data-gap]')?.dataset.gap;
    if (!gap || !isEditable()) return;
    const cell = document.querySelector(`#record .es-gap[data-field="${CSS.escape(gap)}"]`);
    const adding = document.querySelector(`#record .es-add-row[data-table="${CSS.escape(gap)}"]`);
    const place = cell ?? adding;
    if (place) reveal(place);
    if (cell) openEditor(cell);
    else adding?.focus();
  });
}

// -- editing in place ----------------------------------------------------------------------------------------------------

/** @param {HTMLElement} clicked */
export async function openEditor(clicked) {
  if (!isEditable() || clicked.dataset.status === 'computed' || clicked.querySelector('.editor')) return;
  const cell = underWay ? await onceSaved(clicked) : clicked;
  if (!cell) return;
  /** @type {NodeListOf<Editor>} */
  const others = document.querySelectorAll('#record .editor');
  for (const other of others) putDown(other);
  if (underWay) {
    const saved = await onceSaved(cell);
    if (saved) openEditor(saved);
    return;
  }
  choose(cell);
  const html = await closeup('forms', cell.dataset);
  if (!html || !document.contains(cell) || cell.querySelector('.editor')) return;
  const shown = [...cell.childNodes];
  cell.innerHTML = html;
  const form = /** @type {Editor} */ (cell.querySelector('.editor'));
  form.shown = shown;
  form.untouched = contentOf(form);
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      closeEditor(form, true);
    } else if (
      event.key === 'Enter' &&
      !event.shiftKey &&
      /** @type {HTMLElement} */ (event.target).matches('textarea')
    ) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener('input', () => keepDraft(section()?.dataset.session, form, contentOf(form)));
  form.addEventListener('focusout', ({ relatedTarget }) => {
    const stays = !relatedTarget || form.contains(/** @type {Node} */ (relatedTarget));
    if (!stays && !fault(form).textContent) putDown(form);
  });
  takeUp(form);
  if (cell.dataset.status !== 'empty') showCard(cell);
}

// What stands in an editor is marked, so that typing takes its place.
/** @param {Editor} form */
function takeUp(form) {
  const field = form.querySelector('textarea, input, select');
  field?.focus();
  if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) field.select();
}

// Whoever goes elsewhere has not taken back what they typed: it is saved. A form left as it was closes.
/** @param {Editor} form */
function putDown(form) {
  if (!form.isConnected || form.isLeft) return;
  form.isLeft = true;
  if (contentOf(form) === form.untouched || !form.checkValidity()) closeEditor(form);
  else save(form);
  form.isLeft = false;
}

/** @param {HTMLFormElement} form */
const contentOf = (form) => JSON.stringify(new FormData(form).getAll('value'));

// What was typed and not saved before the page was loaded anew is in its editor again.
async function resume() {
  const session = section()?.dataset.session;
  const draft = session ? takeDraft(session) : null;
  const cell = draft && findCell(draft.target, draft.row);
  if (!draft || !cell || document.querySelector('#record .editor')) return;
  reveal(cell);
  await openEditor(cell);
  /** @type {Editor | null} */
  const form = cell.querySelector('.editor');
  if (!form) return;
  fill(form, JSON.parse(draft.content));
  keepDraft(session, form, draft.content);
  page.say('What you were typing is here again. Save it or cancel it.');
}

/** @param {Editor} form @param {string[]} values */
function fill(form, values) {
  for (const field of form.querySelectorAll('[name=value]')) {
    if (field instanceof HTMLInputElement && field.type === 'checkbox') field.checked = values.includes(field.value);
    else if (isField(field)) field.value = values[0] ?? '';
  }
}

/** @param {HTMLElement} field */
const isField = (field) =>
  field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement;

// The same cell after the change that is under way; none where that was not made: then its own form is open again.
/** @param {HTMLElement} cell */
async function onceSaved(cell) {
  choose(cell);
  while (underWay) if (!(await underWay)) return null;
  return findCell(cell.dataset.field ?? '', cell.dataset.row);
}

/** @param {Editor} form @param {boolean} [refocus] */
function closeEditor(form, refocus = false) {
  const cell = /** @type {HTMLElement} */ (form.closest('td'));
  form.isLeft = true;
  dropDraft();
  cell.replaceChildren(...form.shown);
  if (refocus) cell.querySelector('button')?.focus();
}

/** @param {Editor} form @param {string} kind */
function leaveEditor(form, kind) {
  if (kind === 'cancel') closeEditor(form, true);
  else edit(kind, form.dataset.editor ?? '', form.dataset.editorRow, null, form);
}

/** @param {Editor} form */
function save(form) {
  const values = new FormData(form).getAll('value');
  const value = /** @type {string | string[] | undefined} */ (form.dataset.type === 'multi' ? values : values[0]);
  if (!value?.length) fault(form).textContent = 'Enter a value, or choose “Not stated”.';
  else edit('set', form.dataset.editor ?? '', form.dataset.editorRow, value, form);
}

/** @param {string} target @param {string | undefined} row */
const confirm = (target, row) => edit('confirm', target, row, null, null);

/**
 * @param {string} kind
 * @param {string} target
 * @param {string | undefined} row
 * @param {string | string[] | null} value
 * @param {Editor | null} form
 */
function edit(kind, target, row, value, form) {
  const pending = form && standIn(form, kind);
  return change('edits', { kind, target, row: row === '' ? null : Number(row), value }, { target, row, pending });
}

/** @param {HTMLElement} button */
function changeRows(button) {
  const { table, tableRow } = button.dataset;
  if (tableRow === undefined) change('edits', { kind: 'add_row', target: table }, { table, button });
  else change('edits', { kind: 'remove_row', target: table, row: Number(tableRow) }, { button });
}

// -- one change ----------------------------------------------------------------------------------------------------------

// One after the other, each on the state that the one before has left; returns whether it was made. `focus` says where
// the keyboard goes on: a cell, or the last row of a table; `pending` stands in the cell meanwhile, or `button` is busy.
/** @param {string} path @param {object} body @param {Focus} [focus] @returns {Promise<boolean>} */
export async function change(path, body, focus = {}) {
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

/** @param {string | undefined} session @param {string} path @param {object} body @param {Focus} focus */
async function make(session, path, body, focus) {
  const { session: shown, revision } = section()?.dataset ?? {};
  if (shown !== session) return refused(focus, ANOTHER_REPORT);
  if (!session) return false;
  const answer = await page.post(`sessions/${session}/${path}`, { ...body, revision });
  if (!answer) return refused(focus);
  const { panels, problem } = await answer.json().catch(() => ({ problem: NOT_SAVED }));
  if (!panels) return refused(focus, problem ?? NOT_TAKEN);
  if (section()?.dataset.session !== session) return false; // another dictation has taken the page meanwhile
  if (focus.pending) dropDraft();
  await showPanels(panels, focus);
  if (problem) page.say(problem, 'error');
  else page.say(SAID[path]);
  triggers.edited?.({ session, decided: path === 'reading' });
  return answer.ok;
}

// Without a problem of its own the status line has said what is the matter.
/** @param {Focus} focus @param {string} [problem] */
function refused({ pending, button }, problem) {
  button?.removeAttribute('aria-busy');
  const isInItsForm = pending?.giveBack(problem ?? NOT_SAVED);
  if (problem && !isInItsForm) page.say(problem, 'error');
  return false;
}

/** @type {Record<string, string>} */
const SAID = {
  edits: 'Saved. Undo takes it back.',
  filing: 'Filed. Undo takes it back.',
  undo: 'Undone.',
  signature: 'Signed. The outputs say so from now on; a later edit starts a new version.',
  reading: 'Done.',
};

/** @param {Record<string, string>} panels @param {Focus} focus */
async function showPanels(panels, focus) {
  const scrolled = window.scrollY;
  /** @type {HTMLInputElement | null} */
  const before = document.querySelector('#signer');
  const name = before?.value;
  const goesOn = whereTheyAre(focus);
  for (const [panel, html] of Object.entries(panels)) page.setPanel(panel, html);
  await page.frame();
  await page.frame();
  focus.pending?.settle();
  window.scrollTo(0, scrolled);
  /** @type {HTMLInputElement | null} */
  const signer = document.querySelector('#signer:not([readonly])');
  if (signer && name) signer.value = name;
  const cell = goesOn.target ? findCell(goesOn.target, goesOn.row) : lastRowCell(goesOn.table);
  if (cell && cell.dataset.status !== 'empty') {
    choose(cell);
    showCard(cell);
  }
  const { keyboard = cell?.querySelector('button') ?? undoAgain(focus) } = goesOn;
  const next = keyboard?.isConnected ? keyboard : document.getElementById(keyboard?.id ?? '');
  next?.focus({ preventScroll: true });
}

/** @param {Focus} focus */
function undoAgain({ button }) {
  return button?.dataset.review ? document.querySelector('#review [data-review=undo]') : null;
}

// Who has gone on to another cell, or somewhere else, while an entry was saved is left there.
/** @param {Focus} focus @returns {Focus & { keyboard?: HTMLElement | null }} */
function whereTheyAre(focus) {
  if (!focus.pending) return focus;
  const chosen = document.querySelector('#record [data-chosen]')?.dataset;
  const active = /** @type {HTMLElement} */ (document.activeElement);
  const keyboard = active === document.body || active.closest('#record') ? undefined : active;
  return { target: chosen?.field ?? focus.target, row: chosen?.row ?? focus.row, keyboard };
}

/** @param {string | undefined} table */
function lastRowCell(table) {
  if (!table) return null;
  const cells = [...document.querySelectorAll(`#record [data-field^="${CSS.escape(table)}."]`)];
  const last = cells.at(-1)?.dataset.row;
  return cells.find((cell) => cell.dataset.row === last) ?? null;
}

// -- undo, sign-off, versions ----------------------------------------------------------------------------------------------

/** @param {HTMLElement} element @param {ReviewEvents} events */
export function mountReview(element, events) {
  triggers = events;
  new MutationObserver(() => {
    prepare();
    resume();
    fillFromAddress(element);
  }).observe(element, { childList: true, subtree: true });
  addEventListener('keydown', undoByKey);
  keepFolds(element);
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
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (form.matches('.context-form')) saveContext(form);
    else if (!form.matches('.sign')) compare(form);
    else if (isSettled() && isMeant())
      change('signature', { name: control(form, 'name').value }, { button: form.querySelector('button') });
  });
}

// -- who and where -------------------------------------------------------------------------------------------------------

/** @param {HTMLFormElement} form */
const contextInputs = (form) => /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll('input')]);

/** @param {HTMLFormElement} form */
function saveContext(form) {
  const changed = contextInputs(form).filter((input) => input.value.trim() !== input.defaultValue);
  const value = changed.map((input) => `${input.name}=${input.value}`);
  if (!value.length) page.say('There is nothing new to save here.');
  else change('edits', { kind: 'context', target: 'context', value }, { button: form.querySelector('button') });
}

// A program that opens the page may say who is examined, in its address: ?name=...&record_number=... It stands in empty
// inputs, unsaved, so that it becomes nobody else's: an earlier dictation may be on the screen.
/** @param {HTMLElement} element */
function fillFromAddress(element) {
  /** @type {HTMLFormElement | null} */
  const form = element.querySelector('.context-form');
  if (!form || form.dataset.filled) return;
  form.dataset.filled = 'true';
  const given = new URLSearchParams(location.search);
  const empty = contextInputs(form).filter((input) => !input.value && given.get(input.name));
  for (const input of empty) input.value = given.get(input.name)?.slice(0, input.maxLength) ?? '';
  const told = form.querySelector('[data-given]');
  if (empty.length && told) told.removeAttribute('hidden');
}

// Ctrl+Z takes the last edit back, unless somebody is typing.
/** @param {KeyboardEvent} event */
function undoByKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== 'z') return;
  const button = document.querySelector('#review [data-review=undo]');
  if (!button || target.closest('input, textarea, select')) return;
  event.preventDefault();
  change('undo', {}, { button });
}

const isSaving = () => Boolean(document.querySelector('#record [data-status=saving]'));

// What is signed is what stands in the report: no entry is on its way there, and no form is open.
function isSettled() {
  const form = document.querySelector('#record .editor');
  if (isSaving()) page.say(STILL_SAVING, 'error');
  else if (form) {
    page.say('A cell is still open. Save it or cancel it, then sign.', 'error');
    form.querySelector('textarea, input, select')?.focus();
  }
  return !isSaving() && !form;
}

// A report in which something is open is signed only by whoever says so once more.
function isMeant() {
  const missing = document.querySelectorAll('#checklist .es-gap-item').length;
  const doubtful = document.querySelectorAll('#checks .es-eyes > .es-checks > li').length;
  const unfiled = document.querySelectorAll('#unfiled .es-said-item').length;
  const open = [
    missing && `${missing} required ${missing === 1 ? 'item is' : 'items are'} not stated`,
    doubtful && `${doubtful} ${doubtful === 1 ? 'is' : 'are'} to check`,
    unfiled && `${unfiled} ${unfiled === 1 ? 'sentence stands' : 'sentences stand'} in no field`,
  ].filter(Boolean);
  return !open.length || window.confirm(`Sign although ${listed(open)}?`);
}

/** @param {unknown[]} parts */
const listed = (parts) => new Intl.ListFormat('en').format(parts.map(String));

// A named input or list of a form.
/** @param {HTMLFormElement} form @param {string} name */
function control(form, name) {
  return /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name));
}

/** @param {HTMLFormElement} form */
async function compare(form) {
  const [left, right] = [control(form, 'left'), control(form, 'right')];
  const answer = await page.ask(
    `sessions/${section()?.dataset.session}/comparison?left=${left.value}&right=${right.value}`,
  );
  const shown = form.parentElement?.querySelector('.comparison');
  if (answer?.ok && shown) shown.innerHTML = await answer.text();
}

// -- the clipboard ---------------------------------------------------------------------------------------------------------

/** @param {HTMLElement} element */
export function mountExports(element) {
  element.addEventListener('click', async (event) => {
    if (isSaving() && event.target.closest('a, button')) {
      event.preventDefault();
      page.say(STILL_SAVING, 'error');
      return;
    }
    const { text, rich } = event.target.closest('#copy-note')?.dataset ?? {};
    if (!text || !rich) return;
    try {
      await copy(fetched(text), fetched(rich));
      page.say('The note is in the clipboard.');
    } catch {
      page.say('The note could not be copied. Open it below and copy it from there.', 'error');
    }
  });
}

/** @param {string} url */
async function fetched(url) {
  const answer = await page.ask(url);
  if (!answer?.ok) throw new Error('no note');
  return answer.text();
}

// Safari only lets a click write what it is given at once, so the texts go in as promises where that is understood.
// Word processors take the rich text, everything else the plain one.
/** @param {Promise<string>} text @param {Promise<string>} rich */
async function copy(text, rich) {
  rich.catch(() => undefined); // told once, by the plain text
  if (window.ClipboardItem && navigator.clipboard?.write) {
    const blobs = {
      'text/plain': text.then((plain) => new Blob([plain], { type: 'text/plain' })),
      'text/html': rich.then((html) => new Blob([html], { type: 'text/html' })),
    };
    await navigator.clipboard.write([new ClipboardItem(blobs)]);
  } else await navigator.clipboard.writeText(await text);
}
