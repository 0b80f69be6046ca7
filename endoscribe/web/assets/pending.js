// What somebody has entered in a form and the server does not have yet: it stands in its cell at once, marked as being
// saved, until the report comes back with it. Where it is not taken, the form comes back with what was typed.

const SIGN = '↻';
const WORDS = { not_stated: 'not stated', not_done: 'not done' };

// The form gives way to what it says; `giveBack` brings it back with a sentence, and tells whether its cell is still there.
export function standIn(form, kind) {
  const cell = form.closest('td');
  const { className, dataset: { status } } = cell;
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
      form.querySelector('.fault').textContent = problem;
      if (keepsFocus) form.querySelector('input, select')?.focus();
      return cell.isConnected;
    },
  };
}

function inCell(value) {
  const pending = document.createElement('span');
  pending.className = 'es-pending';
  pending.tabIndex = -1;
  pending.append(part('es-value', value), ' ', part('es-mark', SIGN, true), ' ', part('es-remark', 'being saved'));
  return pending;
}

function part(name, text, isSign = false) {
  const span = document.createElement('span');
  span.className = name;
  span.textContent = text;
  if (isSign) span.ariaHidden = 'true';
  return span;
}

// What is in the form, as the report will say it.
function entered(form) {
  const chosen = [...form.querySelectorAll('input:checked')].map(({ parentElement: box }) => box.textContent.trim());
  if (form.dataset.type === 'multi') return chosen.join(', ');
  const field = form.elements.value;
  if (field.matches('select')) return field.selectedOptions[0].textContent;
  return [field.value, form.querySelector('.unit')?.textContent].filter(Boolean).join(' ');
}
