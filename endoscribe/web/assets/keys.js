// @ts-check

// Space starts, pauses and goes on; Escape stops. Not while somebody types or a control has the keyboard.

import * as page from './page.js';

const TAKES_KEYS =
  'input, textarea, select, button, a, summary, audio, [contenteditable], [role=option], [role=listbox]';

export function listen() {
  addEventListener('keydown', (event) => {
    const microphone = page.theMicrophone();
    const target = /** @type {HTMLElement} */ (event.target);
    if (!microphone || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && microphone.isActive && !target.closest('input, textarea, select')) {
      event.preventDefault();
      microphone.stop();
    } else if (event.key === ' ' && !target.closest(TAKES_KEYS)) {
      event.preventDefault();
      if (microphone.isActive) microphone.togglePause();
      else microphone.start();
    }
  });
}
