// @ts-check

// Space starts, pauses and goes on; Escape stops. It never starts where a report is shown, and nothing happens while somebody types or a control has the keyboard.

import { boundKey } from './devices.js';
import * as page from './page.js';

const TAKES_KEYS =
  'input, textarea, select, button, a, summary, audio, [contenteditable], [role=option], [role=listbox]';

// Another key than Space, or a foot switch that sends one, is meant wherever nobody types.
/** @param {string} key @param {HTMLElement} target */
function isBound(key, target) {
  if (key !== boundKey()) return false;
  return !target.closest(key === ' ' ? TAKES_KEYS : 'input, textarea, select, [contenteditable]');
}

export function listen() {
  addEventListener('keydown', (event) => {
    const microphone = page.theMicrophone();
    const target = /** @type {HTMLElement} */ (event.target);
    if (!microphone || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && microphone.isActive && !target.closest('input, textarea, select')) {
      event.preventDefault();
      microphone.stop();
    } else if (isBound(event.key, target)) {
      const isReading = page.hasReport() || (event.key === ' ' && target !== document.body);
      if (!microphone.isActive && isReading) return;
      event.preventDefault();
      if (microphone.isActive) microphone.togglePause();
      else microphone.start();
    }
  });
}
