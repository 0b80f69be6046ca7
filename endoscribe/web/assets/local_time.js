// @ts-check

// A moment by the clock of whoever looks at it; what the server says in UTC stays as its title.

const FORMAT = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short' }); // 2026-03-01 14:05

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';

customElements.define(
  'local-time',
  class extends HTMLElement {
    connectedCallback() {
      const at = new Date(/** @type {string} */ (this.getAttribute('datetime')));
      if (this.title || Number.isNaN(at.getTime())) return;
      this.title = this.textContent;
      this.textContent = FORMAT.format(at);
    }
  },
);
