// @ts-check

// Sentences that stand in no cell: heard with a click, and filed with another one: as proposed, in any field, as free text
// under a section, or as nothing for the report.

import { closeup, prepare } from './closeups.js';
import { hear } from './evidence.js';
import * as page from './page.js';
import { change, isEditable } from './review.js';

const BARE = '.es-said-item:not(:has(.es-filing))';
const NO_VALUE = 'Enter a value.';

/** @param {HTMLElement} element */
export function mountUnfiled(element) {
  element.addEventListener('click', ({ target }) => {
    const said = target.closest('.es-said');
    const button = target.closest('button');
    if (said) hear(said.dataset);
    else if (button?.dataset.kind === 'cancel') closeForm(button);
    else if (button?.dataset.body) file(button, JSON.parse(button.dataset.body));
    else if (button?.dataset.choose) openForm(button, button.dataset.choose);
    else if (button?.dataset.decide) decide(button, button.dataset.decide);
  });
  element.addEventListener('change', ({ target }) => {
    const choice = /** @type {HTMLSelectElement} */ (target);
    if (choice.matches('.es-other-field') && choice.value) openForm(choice, choice.value);
  });
  element.addEventListener('focusin', ({ target }) => {
    if (target.matches('.es-other-field')) offerFields(/** @type {HTMLSelectElement} */ (target));
  });
  element.addEventListener('pointerdown', ({ target }) => {
    if (target.matches('.es-other-field')) offerFields(/** @type {HTMLSelectElement} */ (target));
  });
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && event.target.closest('.editor')) {
      event.stopPropagation();
      closeForm(event.target);
    } else if (event.key === 'Enter' && !event.shiftKey && event.target.matches('textarea')) {
      event.preventDefault();
      event.target.closest('form')?.requestSubmit();
    }
  });
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    saveForm(/** @type {HTMLFormElement} */ (event.target));
  });
  new MutationObserver(() => {
    shade(element);
    offer(element);
  }).observe(element, { childList: true, subtree: true });
  offer(element);
}

// What can be done with each sentence, once it is there; a report that is only looked at offers nothing.
/** @param {HTMLElement} element */
async function offer(element) {
  if (!element.querySelector(BARE) || !isEditable()) return;
  const found = await prepare();
  for (const item of element.querySelectorAll(BARE)) {
    const { start, end } = item.querySelector('.es-said')?.dataset ?? {};
    const html = found?.filing[`${start}-${end}`];
    if (html) item.insertAdjacentHTML('beforeend', html);
  }
  for (const choice of element.querySelectorAll('select.es-other-field:empty')) {
    choice.innerHTML = '<option value="">Another field…</option>';
  }
}

// All fields are many, and are put only into the list that somebody opens.
/** @param {HTMLSelectElement} choice */
async function offerFields(choice) {
  if (choice.options.length > 1) return;
  const { value } = choice;
  choice.innerHTML = (await prepare())?.choices ?? '';
  choice.value = value;
}

// The same words are marked in the transcript, for as long as nobody has decided on them.
/** @param {HTMLElement} element */
function shade(element) {
  const said = [...element.querySelectorAll('.es-said')].map(({ dataset }) => [
    +(dataset.start ?? 0),
    +(dataset.end ?? 0),
  ]);
  if (!element.querySelector('.es-said, .es-none')) return;
  for (const word of document.querySelectorAll('#transcript [data-start]')) {
    const { start, end } = word.dataset;
    word.classList.toggle(
      'unfiled',
      said.some(([first, after]) => first < Number(end) && Number(start) < after),
    );
  }
}

/** @param {HTMLElement} within */
function sentence(within) {
  const item = /** @type {HTMLElement} */ (within.closest('.es-said-item'));
  const said = /** @type {HTMLElement} */ (item.querySelector('.es-said'));
  return { item, start: Number(said.dataset.start), end: Number(said.dataset.end) };
}

// The keyboard goes on at the sentence that takes the place of this one.
/** @param {HTMLElement} within @param {object} decision @param {HTMLElement | null} button */
async function send(within, decision, button) {
  const { item, start, end } = sentence(within);
  const at = [...document.querySelectorAll('#unfiled .es-said-item')].indexOf(item);
  if (!(await change('filing', { ...decision, start, end }, { button }))) return;
  const left = document.querySelectorAll('#unfiled .es-said');
  const next = left[Math.min(at, left.length - 1)] ?? document.querySelector('#review [data-review=undo]');
  next?.focus({ preventScroll: true });
}

/** @param {HTMLButtonElement} button @param {object} filed */
const file = (button, filed) => send(button, { kind: 'file', ...filed }, button);

/** @param {HTMLButtonElement} button @param {string} kind */
function decide(button, kind) {
  const section = button.parentElement?.querySelector('select')?.value;
  send(button, kind === 'keep_text' ? { kind, target: section } : { kind }, button);
}

// -- any field -----------------------------------------------------------------------------------------------------------

/** @param {HTMLElement} within @param {string} choice */
async function openForm(within, choice) {
  const { item } = sentence(within);
  const [field = '', row = ''] = choice.split('/');
  const html = (await closeup('forms', { field, row })) ?? (await columnForm(field, row));
  if (!html) {
    page.say('This field cannot be filled here. Open it in the report.', 'error');
    return;
  }
  item.querySelector('.editor')?.remove();
  item.insertAdjacentHTML('beforeend', html);
  const form = /** @type {HTMLFormElement} */ (item.querySelector('.editor'));
  for (const button of form.querySelectorAll('[data-kind=not_stated], [data-kind=not_done]')) button.remove();
  const label = document.createElement('span');
  label.className = 'es-form-name';
  label.textContent = form.getAttribute('aria-label');
  form.prepend(label);
  const text = form.querySelector('textarea');
  const said = item.querySelector('.es-said')?.firstChild?.textContent?.trim() ?? '';
  if (text) text.value = [text.value, said].filter(Boolean).join(' ');
  form.querySelector('textarea, input, select')?.focus();
}

// A column that the report does not show yet, in a row that it has or in one to come.
/** @param {string} field @param {string} row */
async function columnForm(field, row) {
  const html = (await prepare())?.columns[field];
  return html?.replace('data-editor-row=""', `data-editor-row="${CSS.escape(row)}"`);
}

/** @param {HTMLElement} within */
function closeForm(within) {
  const { item } = sentence(within);
  item.querySelector('.editor')?.remove();
  const choice = item.querySelector('select.es-other-field');
  if (choice instanceof HTMLSelectElement) choice.value = '';
  item.querySelector('.es-said')?.focus();
}

/** @param {HTMLFormElement} form */
function saveForm(form) {
  const values = new FormData(form).getAll('value');
  const value = form.dataset.type === 'multi' ? values : values[0];
  if (!value || (Array.isArray(value) && !value.length)) {
    const fault = form.querySelector('.fault');
    if (fault) fault.textContent = NO_VALUE;
    return;
  }
  const { editor: target, editorRow: row } = form.dataset;
  const filed = { row: row ? Number(row) : null, cells: [{ target, value }] };
  send(form, { kind: 'file', ...filed }, form.querySelector('button'));
}
