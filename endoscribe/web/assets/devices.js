// @ts-check

// Which microphone is used, how loud it is before anybody records, and which key or foot switch starts and pauses. All of
// it is kept in this browser: it belongs to the room, not to the person.

const DEVICE = 'endoscribe.microphone';
const KEY = 'endoscribe.key';
const TRY_FOR_MS = 20_000;
const AUDIBLE = 0.02; // of full scale; speech at arm's length peaks well above
const PATIENCE_MS = 6000;

export const chosenDevice = () => localStorage.getItem(DEVICE) ?? '';
export const boundKey = () => localStorage.getItem(KEY) ?? ' ';

/** @param {string} key */
const keyName = (key) => (key === ' ' ? 'Space' : key);

/** @param {HTMLElement} element @param {(level: number) => void} showLevel */
export function mountDevices(element, showLevel) {
  const device = /** @type {HTMLSelectElement} */ (element.querySelector('.device'));
  const bind = /** @type {HTMLButtonElement} */ (element.querySelector('.bind-key'));
  const attempt = /** @type {HTMLButtonElement} */ (element.querySelector('.try-level'));
  const settings = /** @type {HTMLElement} */ (element.querySelector('.microphone-settings'));
  device.onchange = () => localStorage.setItem(DEVICE, device.value);
  bind.onclick = () => bindKey(element, bind);
  /** @type {(() => void) | null} */
  let end = null;
  const stop = () => {
    end?.();
    end = null;
    attempt.setAttribute('aria-pressed', 'false');
    attempt.textContent = 'Try the level';
  };
  attempt.onclick = async () => {
    if (end) {
      stop();
      return;
    }
    attempt.setAttribute('aria-pressed', 'true');
    attempt.textContent = 'Stop trying';
    end = await listen(showLevel).catch(() => null);
    if (end) setTimeout(stop, TRY_FOR_MS);
    else stop();
    listDevices(device);
  };
  settings.addEventListener('toggle', () => listDevices(device));
  showKey(element);
  return stop;
}

// Browsers name the devices only to a page that was allowed to use one.
/** @param {HTMLSelectElement} select */
async function listDevices(select) {
  const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const inputs = devices.filter(({ kind, deviceId }) => kind === 'audioinput' && deviceId && deviceId !== 'default');
  const options = inputs.map(({ deviceId, label }, index) => new Option(label || `Microphone ${index + 1}`, deviceId));
  select.replaceChildren(new Option("The system's", ''), ...options);
  select.value = inputs.some(({ deviceId }) => deviceId === chosenDevice()) ? chosenDevice() : '';
}

// The level of a microphone that nothing is recorded from; gives what ends it.
/** @param {(level: number) => void} showLevel @returns {Promise<() => void>} */
async function listen(showLevel) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints() });
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    showLevel(samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  }, 100);
  return () => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    context.close().catch(() => {});
    showLevel(0);
  };
}

/** @returns {MediaTrackConstraints} */
export function constraints() {
  const device = chosenDevice();
  const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  return device ? { ...plain, deviceId: device } : plain; // not `exact`: one that is gone must not keep anybody waiting
}

/** @param {HTMLElement} element @param {HTMLButtonElement} button */
function bindKey(element, button) {
  const label = button.textContent;
  button.textContent = 'Press it now (Esc keeps Space)';
  addEventListener(
    'keydown',
    (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      const key = event.key === 'Escape' || event.key === 'Tab' ? ' ' : event.key;
      localStorage.setItem(KEY, key);
      button.textContent = label;
      showKey(element);
    },
    { once: true, capture: true },
  );
}

/** @param {HTMLElement} element */
function showKey(element) {
  for (const key of element.querySelectorAll('.key-name kbd, .hint kbd:first-of-type')) {
    key.textContent = keyName(boundKey());
  }
}

// Tells whether what comes from a microphone can be heard, once it could not for a while.
export class Loudness {
  constructor() {
    this.heardAt = performance.now();
  }

  /** @param {number} level */
  hear(level) {
    if (level >= AUDIBLE) this.heardAt = performance.now();
  }

  restart() {
    this.heardAt = performance.now();
  }

  get isTooQuiet() {
    return performance.now() - this.heardAt > PATIENCE_MS;
  }
}
