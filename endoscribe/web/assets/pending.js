// @ts-check

// What somebody has entered in a form and the server does not have yet: it stands in its cell at once, marked as being
// saved, until the report comes back with it. Where it is not taken, the form comes back with what was typed.

const SIGN = '↻';
/** @type {Record<string, string>} */
const WORDS = { not_stated: 'not stated', not_done: 'not done' };

// The form gives way to what it says; `giveBack` brings it back with a sentence, and tells whether its cell is still there.
/** @param {Editor} form @param {string} kind @returns {PendingEntry} */
export function standIn(form, kind) {
  const cell = /** @type {HTMLTableCellElement} */ (form.closest('td'));
  const {
    className,
    dataset: { status },
  } = cell;
  const hadFocus = form.contains(document.activeElement);
  const shown = inCell(WORDS[kind] ?? entered(form));
  cell.replaceChildren(shown);
  cell.className = 'es-cell es-saving';
  cell.dataset.status = 'saving';
  if (hadFocus) shown.focus({ preventScroll: true });
  return {
    // Where nothing has changed, the report that comes back is not put on the screen anew.
    settle() {
      if (!shown.isConnected) return;
      cell.replaceChildren(...form.shown);
      cell.className = className;
      cell.dataset.status = status;
    },
    giveBack(problem) {
      const keepsFocus = cell.contains(document.activeElement);
      cell.replaceChildren(form);
      cell.className = className;
      cell.dataset.status = status;
      fault(form).textContent = problem;
      if (keepsFocus) form.querySelector('textarea, input, select')?.focus();
      return cell.isConnected;
    },
  };
}

// Where a form says what is wrong.
/** @param {Editor} form */
export const fault = (form) => /** @type {HTMLElement} */ (form.querySelector('.fault'));

/** @param {string} value */
function inCell(value) {
  const pending = document.createElement('span');
  pending.className = 'es-pending';
  pending.tabIndex = -1;
  pending.append(part('es-value', value), ' ', part('es-mark', SIGN, true), ' ', part('es-remark', 'being saved'));
  return pending;
}

/** @param {string} name @param {string} text @param {boolean} [isSign] */
function part(name, text, isSign = false) {
  const span = document.createElement('span');
  span.className = name;
  span.textContent = text;
  if (isSign) span.ariaHidden = 'true';
  return span;
}

// What is in the form, as the report will say it.
/** @param {Editor} form */
function entered(form) {
  const chosen = [...form.querySelectorAll('input:checked')].map(({ parentElement: box }) => box?.textContent.trim());
  if (form.dataset.type === 'multi') return chosen.join(', ');
  const field = /** @type {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} */ (
    form.elements.namedItem('value')
  );
  if (field instanceof HTMLSelectElement) return field.selectedOptions[0].textContent;
  return [field.value, form.querySelector('.unit')?.textContent].filter(Boolean).join(' ');
}

// -- what was typed and is not saved yet ---------------------------------------------------------------------------------

const DRAFT = 'endoscribe.draft'; // in this tab alone, until it is saved or cancelled

/** @param {string | undefined} session @param {HTMLFormElement} form @param {string} content */
export function keepDraft(session, form, content) {
  const { editor: target, editorRow: row } = form.dataset;
  if (session) sessionStorage.setItem(DRAFT, JSON.stringify({ session, target, row, content }));
}

export const dropDraft = () => sessionStorage.removeItem(DRAFT);

// What belongs to this dictation's report; a draft of another is of no use any more.
/** @param {string} session @returns {{ target: string, row: string, content: string } | null} */
export function takeDraft(session) {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? 'null');
  if (draft?.session !== session) return null;
  dropDraft();
  return draft;
}
