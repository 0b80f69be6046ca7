// @ts-check

// The microphone on the page: buttons, level, clock, and the capture that feeds the uplink.
// States: idle -> starting -> recording <-> paused -> stopping -> idle. A shipped sample takes the microphone's place.

import { constraints, Loudness, mountDevices } from './devices.js';
import { listen } from './keys.js';
import { leftBehind } from './spool.js';
import { Uplink } from './uplink.js';
import * as page from './page.js';

const SPEECH_RATE = 16000;
const SAMPLE_SPEED = 4; // how many times faster than spoken a shipped sample is played
const SAMPLE_FRAME = 3200;
const UNSAVED_WORTH_SAYING_S = 2;
const FLUSH_LIMIT_MS = 1000; // a context that the system has interrupted never answers

/** @type {Record<string, string>} */
const REFUSALS = {
  NotAllowedError:
    'The microphone was refused. Allow it for this page in the address bar, then press Start Recording again, or upload a recording.',
  NotFoundError: 'No microphone was found. Connect one and press Start Recording again, or upload a recording.',
  NotReadableError:
    'The microphone is in use by another program. Close that program, then press Start Recording again.',
};
const LISTENING = 'Listening. Speak; press Stop when you are done.';
const OTHER_RATE = 'This microphone cannot go on with that recording. Press Stop; what you said is saved.';
const NO_MEDIA =
  'Browsers give the microphone only to https pages and to this computer itself. Open the page by https, or upload a recording.';

/** @param {HTMLElement} element @param {MicrophoneEvents} events */
export function mount(element, events) {
  const microphone = new Microphone(element, events);
  page.setMicrophone(microphone);
  microphone.left = leftBehind(sessionStorage.getItem(page.CURRENT));
  listen();
}

// Sound of an earlier visit that never reached the server, because the tab crashed or was closed without a network.
// `mine` is what this tab goes on with itself.
/** @param {TheMicrophone} microphone @param {LeftBehind | null | undefined} mine */
export async function sendWhatWasLeftBehind(microphone, mine) {
  for (const left of await microphone.left) {
    if (left === mine) continue;
    /** @type {Promise<void>} */
    const isOver = new Promise((resolve) => {
      const uplink = new Uplink({
        base: document.baseURI,
        procedure: left.procedure,
        sampleRate: left.sampleRate,
        left,
        onChange() {},
        onMessage(message) {
          if (message.type === 'final') microphone.tookOver(uplink.session, rescuedSeconds, message.problem);
          if (message.type === 'final' || (message.type === 'problem' && !message.again)) resolve();
        },
      });
      const rescuedSeconds = uplink.unsavedSeconds;
    });
    await isOver;
  }
}

/** @implements {TheMicrophone} */
class Microphone {
  /** @param {HTMLElement} element @param {MicrophoneEvents} events */
  constructor(element, events) {
    this.events = events;
    this.state = 'idle';
    /** @type {string | null} */
    this.session = null;
    /** @type {Promise<LeftBehind[]>} */
    this.left = Promise.resolve([]);
    /** @type {SoundSource | null} */
    this.source = null;
    /** @type {Uplink | null} */
    this.uplink = null;
    this.level = 0;
    /** @type {Promise<WakeLockSentinel | null> | undefined} */
    this.wakeLock = undefined;
    // A screen that was away has given the lock back.
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.wakeLock = undefined;
      else this.stayAwake();
    });
    this.signInEnded = '';
    /** @type {Promise<string | null>} */
    this.finished = Promise.resolve(null);
    /** @type {(session: string | null) => void} */
    this.resolveFinished = () => {};
    /** @type {(name: string) => HTMLElement} */
    const part = (name) => /** @type {HTMLElement} */ (element.querySelector(name));
    /** @type {(name: string) => HTMLButtonElement} */
    const button = (name) => /** @type {HTMLButtonElement} */ (element.querySelector(name));
    this.parts = {
      root: part('.microphone'),
      start: button('.start'),
      pause: button('#pause'),
      stop: button('#stop'),
      level: part('.level > span'),
      clock: part('.clock'),
      unsaved: part('.unsaved'),
      offline: part('.offline'),
      tooQuiet: part('.too-quiet'),
      signIn: part('.sign-in'),
      why: part('.sign-in .why'),
    };
    this.loudness = new Loudness();
    this.stopTrying = mountDevices(element, (level) => {
      this.level = level;
      this.show();
    });
    this.parts.start.onclick = () => this.start();
    this.parts.pause.onclick = () => this.togglePause();
    this.parts.stop.onclick = () => this.stop();
    addEventListener('beforeunload', (event) => {
      if (this.isActive || (this.uplink && this.uplink.unsavedSeconds > 0)) event.preventDefault();
    });
    this.show();
  }

  get isActive() {
    return this.state !== 'idle';
  }

  async start() {
    const procedure = page.procedure();
    if (this.isActive || !procedure || !(await page.mayStartOver())) return;
    this.stopTrying();
    this.setState('starting');
    try {
      this.source = await openMicrophone(
        (data) => this.captured(data),
        () => this.microphoneEnded(),
      );
    } catch (error) {
      this.setState('idle');
      page.say(refusal(error, 'The microphone could not be started. Reload the page and try again.'), 'error');
      return;
    }
    this.begin(this.source.sampleRate, page.procedure() ?? procedure); // another may have been chosen meanwhile
    this.setState('recording');
    page.say(LISTENING);
  }

  // A recording that a reload cut short comes back as it was, paused: what the server lacks is sent, Resume goes on.
  /** @param {Standing} standing @param {LeftBehind} [left] */
  restore({ session, procedure, sample_rate: sampleRate, samples }, left) {
    if (this.isActive) return;
    this.source = this.closedSource(sampleRate);
    this.begin(sampleRate, procedure, { session, samples, left, goesOn: true });
    this.session = session;
    this.events.began({ session }); // the page itself is new and knows neither the session nor its procedure
    this.setState('paused');
    page.say('Your dictation was interrupted; all of it is here. Press Resume to go on, or Stop to finish it.');
  }

  // In the place of a microphone until Resume opens one.
  /** @param {number} sampleRate @returns {SoundSource} */
  closedSource(sampleRate) {
    return {
      sampleRate,
      pause: async () => {},
      close: async () => {},
      resume: async () => {
        const opened = await openMicrophone(
          (data) => this.captured(data),
          () => this.microphoneEnded(),
        );
        if (opened.sampleRate !== sampleRate) {
          opened.close();
          throw Object.assign(new Error('another rate'), { sentence: OTHER_RATE });
        }
        this.source = opened;
      },
    };
  }

  // Plays a recording from an address as if it were spoken, `SAMPLE_SPEED` times faster.
  /** @param {SampleDictation} sample */
  async playSample({ url, title, procedure }) {
    if (this.isActive) return;
    this.setState('starting');
    page.say(`Loading the sample dictation “${title}”.`);
    try {
      this.source = await openSample(
        url,
        (data) => this.captured(data),
        () => this.stop(),
      );
    } catch {
      this.setState('idle');
      page.say('This sample cannot be played in this browser. Upload a recording instead.', 'error');
      return;
    }
    this.begin(SPEECH_RATE, procedure);
    this.isSample = true;
    this.setState('recording');
    page.say(`Playing “${title}” ${SAMPLE_SPEED} times faster than spoken. Press Stop to end it early.`);
  }

  /** @param {number} sampleRate @param {string} procedure @param {Partial<UplinkOptions>} [stored] */
  begin(sampleRate, procedure, stored = {}) {
    page.clear();
    this.isSample = false;
    this.finished = new Promise((resolve) => {
      this.resolveFinished = resolve;
    });
    this.silent = false;
    this.uplink = new Uplink({
      base: document.baseURI,
      procedure,
      sampleRate,
      ...stored,
      onMessage: (message) => this.receive(message),
      onChange: () => this.show(),
    });
  }

  /** @param {SoundData} data */
  captured({ samples, level }) {
    if (samples) this.uplink?.push(samples);
    if (level !== undefined) {
      this.level = level;
      this.loudness.hear(level);
    }
    this.show();
  }

  async togglePause() {
    if (this.state === 'recording') {
      this.setState('paused');
      await this.source?.pause();
      this.uplink?.pause();
      page.say('Paused. Nothing is recorded. Press Resume to go on.');
    } else if (this.state === 'paused') {
      try {
        await this.source?.resume();
        this.setState('recording');
        page.say(LISTENING);
      } catch (error) {
        const otherwise = 'The microphone could not be started again. Press Stop; what you said is saved.';
        page.say(refusal(error, otherwise), 'error');
      }
    }
  }

  microphoneEnded() {
    if (this.state !== 'recording') return;
    this.setState('paused');
    this.source?.pause();
    page.say(
      'The microphone was disconnected. What you said so far is saved. Connect it and press Resume, or press Stop.',
      'error',
    );
  }

  // Resolves with the session when its transcript is there, or when it is clear that there is none.
  /** @returns {Promise<string | null>} */
  async stop() {
    if (this.state === 'recording' || this.state === 'paused') {
      this.setState('stopping');
      page.say('Saving the recording and finishing the text.');
      try {
        await this.source?.close();
      } catch {
        // A device that fails while it is closed has given all that it had.
      } finally {
        this.uplink?.stop();
      }
    }
    return this.finished;
  }

  // For Submit: stop first if need be, without the page's own steps after a Stop.
  async finishForSubmit() {
    if (!this.isActive) return null;
    this.silent = true;
    while (this.state === 'starting') await new Promise((resolve) => setTimeout(resolve, 50));
    return this.isActive ? this.stop() : null;
  }

  /** @param {string} procedure */
  chooseProcedure(procedure) {
    this.show();
    if (this.isActive && this.uplink && this.uplink.procedure !== procedure) this.uplink.chooseProcedure(procedure);
  }

  /** @param {ServerMessage} message */
  receive(message) {
    if (message.type === 'welcome') this.welcomed(message);
    else if (message.type === 'live') page.showLive(message);
    else if (message.type === 'preview') page.showPreview(message);
    else if (message.type === 'notice') this.noticed(message.text);
    else if (message.type === 'stopped') this.serverStopped();
    else if (message.type === 'final') this.done(message.problem);
    else if (message.type === 'problem') this.failed(message);
  }

  /** @param {string | null} text */
  noticed(text) {
    if (text) page.say(text);
    else if (this.state === 'recording') page.say(LISTENING);
  }

  /** @param {WelcomeMessage} message */
  welcomed({ session }) {
    if (this.troubled) this.noticed(null);
    this.troubled = false;
    if (this.session !== session) {
      this.session = session;
      window.endoscribe.remember?.(session); // at once: a reload may come before Python has heard of it
      this.events.began({ session });
    }
  }

  // Also comes without a Stop of ours, when the longest recording is reached.
  serverStopped() {
    if (this.state === 'stopping') {
      page.say('The recording is saved. Finishing the text.');
      return;
    }
    this.setState('stopping');
    this.source?.close();
  }

  /** @param {ProblemMessage} message */
  failed(message) {
    this.troubled = true;
    if (message.sign_in) return; // said beside the buttons, for as long as it is so
    page.say(message.text, 'error');
    if (!message.again) {
      this.source?.close();
      this.done(message.text);
    }
  }

  /** @param {string | null} problem */
  done(problem) {
    const lost = Math.ceil(this.uplink?.unsavedSeconds ?? 0);
    const notice = lost > 0 && !problem ? `The last ${lost} s could not be saved.` : null;
    this.uplink?.close();
    this.setState('idle');
    this.resolveFinished(this.session ?? null);
    if (this.session && !this.silent) {
      // After a sample a visitor sees the whole job without reading what to press.
      if (this.isSample && !problem) page.submit();
      else this.events.recorded({ session: this.session, problem: problem ?? null, notice });
    }
    this.session = null;
  }

  // Another recording may be going on meanwhile; then the earlier one waits in the history.
  /** @param {string | null} session @param {number} seconds @param {string | null} problem */
  tookOver(session, seconds, problem) {
    const notice = `${Math.ceil(seconds)} s of an earlier dictation, which had not reached the server, are saved now.`;
    if (!this.isActive) this.events.recorded({ session, problem, notice });
  }

  // The screen of a phone stays on while somebody speaks; where the system refuses, it goes off as it always does.
  async stayAwake() {
    const recording = this.state === 'recording';
    if (recording === Boolean(this.wakeLock)) return;
    const lock = this.wakeLock;
    this.wakeLock = recording ? navigator.wakeLock?.request('screen').catch(() => null) : undefined;
    (await lock)?.release();
  }

  /** @param {string} state */
  setState(state) {
    this.state = state;
    this.stayAwake();
    if (state === 'idle') this.level = 0;
    this.show();
  }

  show() {
    const { root, start, pause, stop, level, clock, unsaved } = this.parts;
    const speaking = this.state === 'recording' || this.state === 'paused';
    root.dataset.state = this.state;
    root.dataset.trying = String(this.state === 'idle' && this.level > 0);
    start.disabled = this.isActive || !page.procedure();
    pause.disabled = !speaking;
    stop.disabled = !speaking;
    pause.textContent = this.state === 'paused' ? 'Resume' : 'Pause';
    level.style.transform = `scaleX(${['recording', 'idle'].includes(this.state) ? Math.min(1, Math.sqrt(this.level)) : 0})`;
    clock.textContent = clockTime(this.uplink ? this.uplink.samples / this.uplink.sampleRate : 0);
    unsaved.textContent = this.unsavedText();
    this.showOffline();
    this.showLoudness();
    this.showSignIn();
    page.allowUpload(!this.isActive);
  }

  // Also where nobody dictates: what is on the screen can then neither be changed nor heard.
  /** @param {string} why */
  mustSignIn(why) {
    this.signInEnded = why;
    this.showSignIn();
  }

  showSignIn() {
    const { signIn, why } = this.parts;
    const reason = (this.isActive && this.uplink?.signInEnded) || this.signInEnded;
    if (why.textContent !== reason) why.textContent = reason; // it would be read out each time
    signIn.hidden = !reason;
  }

  // What matters most to whoever speaks on without a network: nothing is lost.
  showOffline() {
    const { offline } = this.parts;
    const seconds = Math.ceil(this.uplink?.unsavedSeconds ?? 0);
    const isOffline = Boolean(
      this.isActive && this.uplink && !this.uplink.connected && seconds > UNSAVED_WORTH_SAYING_S,
    );
    const text = `Offline. Still recording; kept on this device (${seconds} s).`;
    if (isOffline && offline.textContent !== text) offline.textContent = text;
    offline.hidden = !isOffline;
  }

  // A microphone that gives nothing is told while there is still time to speak again.
  showLoudness() {
    const { tooQuiet } = this.parts;
    if (this.state !== 'recording') this.loudness.restart();
    const isQuiet = this.state === 'recording' && !this.isSample && this.loudness.isTooQuiet;
    const text = 'Nothing is heard: the microphone is muted or too quiet.';
    if (isQuiet && tooQuiet.textContent !== text) tooQuiet.textContent = text;
    tooQuiet.hidden = !isQuiet;
  }

  unsavedText() {
    if (!this.uplink) return '';
    const seconds = Math.ceil(this.uplink.unsavedSeconds);
    if (seconds <= 0) return this.isActive && this.uplink.saved ? 'saved' : '';
    const offline = !this.uplink.connected && this.isActive;
    return offline || seconds > UNSAVED_WORTH_SAYING_S ? `not yet saved: ${seconds} s` : 'saved';
  }
}

// Why no microphone could be had, as a sentence.
/** @param {unknown} error @param {string} otherwise */
function refusal(error, otherwise) {
  const { name = '', sentence } = /** @type {{ name?: string, sentence?: string }} */ (error);
  return REFUSALS[name] ?? sentence ?? otherwise;
}

/** @param {number} seconds */
function clockTime(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

// The real microphone as a source: {sampleRate, pause(), resume(), close()}.
/** @param {(data: SoundData) => void} onData @param {() => void} onEnded @returns {Promise<SoundSource>} */
async function openMicrophone(onData, onEnded) {
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
    throw Object.assign(new Error('no media'), { sentence: NO_MEDIA });
  }
  let stream = await openStream(onEnded);
  let context, input;
  try {
    [context, input] = connectAt(stream, { sampleRate: SPEECH_RATE });
  } catch {
    // Firefox joins a stream only to a context of the same rate; the server resamples then.
    [context, input] = connectAt(stream, {});
  }
  await context.audioWorklet.addModule(new URL('./capture_worklet.js', import.meta.url));
  const node = new AudioWorkletNode(context, 'capture', { numberOfOutputs: 0 });
  /** @type {((value?: unknown) => void) | null} */
  let flushed = null;
  node.port.onmessage = ({ data }) => (data.flushed ? flushed?.() : onData(data));
  context.onstatechange = () => context.state === 'interrupted' && onEnded();
  input.connect(node);
  await context.resume();
  const flush = () =>
    new Promise((resolve) => {
      flushed = resolve;
      setTimeout(resolve, FLUSH_LIMIT_MS);
      node.port.postMessage('hold');
    });
  return {
    sampleRate: context.sampleRate,
    pause: flush,
    async resume() {
      if (!stream.getAudioTracks().some((track) => track.readyState === 'live')) {
        stream = await openStream(onEnded);
        input = context.createMediaStreamSource(stream);
        input.connect(node);
      }
      await context.resume();
      node.port.postMessage('run');
    },
    async close() {
      await flush();
      for (const track of stream.getTracks()) track.stop();
      context.close().catch(() => {}); // everything has been flushed; nobody need wait for this
    },
  };
}

/** @param {() => void} onEnded */
async function openStream(onEnded) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints() });
  stream.getAudioTracks()[0].onended = onEnded;
  return stream;
}

/**
 * @param {MediaStream} stream
 * @param {AudioContextOptions} options
 * @returns {[AudioContext, MediaStreamAudioSourceNode]}
 */
function connectAt(stream, options) {
  const context = new AudioContext(options);
  try {
    return [context, context.createMediaStreamSource(stream)];
  } catch (error) {
    context.close();
    throw error;
  }
}

// A recording from an address as a source of the same form.
/**
 * @param {string} url
 * @param {(data: SoundData) => void} onData
 * @param {() => void} onEnd
 * @returns {Promise<SoundSource>}
 */
async function openSample(url, onData, onEnd) {
  const response = await fetch(new URL(url, document.baseURI));
  if (!response.ok) throw new Error('the sample is not there');
  const decoder = new OfflineAudioContext(1, 1, SPEECH_RATE);
  const { length, samples } = mono(await decoder.decodeAudioData(await response.arrayBuffer()));
  let position = 0;
  let running = true;
  const step = () => {
    if (!running) return;
    const frame = samples.subarray(position, position + SAMPLE_FRAME);
    position += frame.length;
    onData({ samples: toInt16(frame), level: peak(frame) });
    if (position >= length) {
      running = false;
      onEnd();
    }
  };
  const timer = setInterval(step, (SAMPLE_FRAME / SPEECH_RATE / SAMPLE_SPEED) * 1000);
  return {
    sampleRate: SPEECH_RATE,
    async pause() {
      running = false;
    },
    async resume() {
      running = true;
    },
    async close() {
      running = false;
      clearInterval(timer);
    },
  };
}

/** @param {AudioBuffer} buffer */
function mono(buffer) {
  const samples = buffer.getChannelData(0);
  return { length: samples.length, samples };
}

/** @param {Float32Array} frame */
function toInt16(frame) {
  return Int16Array.from(frame, (value) => Math.round(Math.max(-1, Math.min(1, value)) * 32767));
}

/** @param {Float32Array} frame */
function peak(frame) {
  return frame.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
