// @ts-check

// Carries frames of samples to the server without losing one. Every frame is kept until the server has said that it is
// safe on disk; after any break the connection is made again and what is not yet safe is sent again, in order.
// Where WebSockets are refused the same frames go by POST. docs/PROTOCOL.md describes what passes.

import { Spool } from './spool.js';
import { signInProblem, whoIsHere } from './who.js';

const PROTOCOL = 1;
const HEADER_BYTES = 16;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
const STALLED_MS = 10000;
const POST_STALLED_MS = 30000; // a second of 48 kHz sound may need a second of a slow line
const POST_EVERY_MS = 400;
const POST_FRAMES_BYTES = 1 << 20;
const SOCKET_FAILURES_BEFORE_POST = 2;

/** @param {number} sequence @param {number} firstSample @param {Int16Array} samples */
export function encodeFrame(sequence, firstSample, samples) {
  const buffer = new ArrayBuffer(HEADER_BYTES + samples.length * 2);
  const view = new DataView(buffer);
  view.setUint8(0, PROTOCOL);
  view.setUint16(2, samples.length, true);
  view.setUint32(4, sequence, true);
  view.setUint32(8, firstSample >>> 0, true);
  view.setUint32(12, Math.floor(firstSample / 2 ** 32), true);
  for (let i = 0; i < samples.length; i += 1) view.setInt16(HEADER_BYTES + 2 * i, samples[i], true);
  return buffer;
}

export class Uplink {
  // onMessage(message) hears every server message; onChange() is called when what is unsaved or connected changes.
  // With a `session` it goes on with that recording, of which the server has so many `samples`. `left` is what an earlier
  // visit left behind: its frames are sent, and then it ends, unless somebody `goesOn`.
  /** @param {UplinkOptions} options */
  constructor({
    base,
    procedure,
    sampleRate,
    session = null,
    samples = 0,
    left = null,
    goesOn = false,
    onMessage,
    onChange,
  }) {
    this.base = base;
    this.procedure = procedure;
    this.sampleRate = sampleRate;
    this.onMessage = onMessage;
    this.onChange = onChange;
    /** @type {string | null} */
    this.session = left?.session ?? session;
    this.spool = new Spool(left?.id);
    this.connected = false;
    this.closed = false;
    /** @type {string | null} */
    this.signInEnded = null; // why nothing is taken until the speaker has signed in again, as a sentence
    /** @type {PendingFrame[]} */
    this.pending = []; // frames that are not yet safe: {buffer, end, sent}
    this.sequence = 0;
    this.samples = samples;
    this.saved = samples;
    /** @type {number | null} */
    this.stopAt = null;
    this.stopSent = false;
    this.isOver = false;
    /** @type {ControlMessage[]} */
    this.controls = []; // messages besides frames, sent after the frames that came before them
    this.words = 0;
    this.preview = 0;
    /** @type {number | null} */
    this.waitingSince = null;
    this.failures = 0;
    this.everOpened = false;
    this.wait = FIRST_WAIT_MS;
    this.online = () => this.retryNow();
    addEventListener('online', this.online);
    addEventListener('focus', this.online); // perhaps from the tab in which they have signed in again
    this.watch = setInterval(() => this.breakIfStalled(), 1000);
    if (left) this.takeOver(left.frames, goesOn);
    else this.spool.hold();
    this.spool.describe(this);
    this.connect();
  }

  get unsavedSeconds() {
    return (this.samples - this.saved) / this.sampleRate;
  }

  /** @param {StoredFrame[]} frames @param {boolean} goesOn */
  takeOver(frames, goesOn) {
    this.pending = frames.map(({ buffer, end }) => ({ buffer, end, sent: false }));
    const last = frames[frames.length - 1];
    this.sequence = new DataView(last.buffer).getUint32(4, true) + 1;
    this.samples = last.end;
    if (!goesOn) this.stopAt = this.samples;
    this.saved = frames[0].end - (frames[0].buffer.byteLength - HEADER_BYTES) / 2;
  }

  /** @param {Int16Array} samples */
  push(samples) {
    if (this.isOver) return;
    const buffer = encodeFrame(this.sequence, this.samples, samples);
    this.sequence += 1;
    this.samples += samples.length;
    const frame = { buffer, end: this.samples, sent: false };
    this.pending.push(frame);
    this.spool.keep(frame);
    this.send();
  }

  /** @param {string} procedure */
  chooseProcedure(procedure) {
    this.procedure = procedure;
    this.hasChosen = true;
    this.controls.push({ type: 'procedure', procedure });
    this.send();
  }

  pause() {
    this.controls.push({ type: 'pause', sample: this.samples });
    this.send();
  }

  stop() {
    if (this.stopAt !== null) return;
    this.stopAt = this.samples;
    this.send();
  }

  close() {
    this.closed = true;
    removeEventListener('online', this.online);
    removeEventListener('focus', this.online);
    clearInterval(this.watch);
    clearTimeout(this.timer);
    this.socket?.close();
  }

  connect() {
    clearTimeout(this.timer);
    if (this.asking) return;
    if (this.signInEnded) this.connectOnceSignedIn();
    else this.reach();
  }

  // A socket would be refused each time.
  async connectOnceSignedIn() {
    this.asking = true;
    const why = await signInProblem();
    this.asking = false;
    if (why) {
      this.mustSignIn(why);
      this.retryLater();
    } else this.reach();
  }

  reach() {
    if (this.closed) return;
    if (!this.everOpened && this.failures >= SOCKET_FAILURES_BEFORE_POST) this.runPosts();
    else this.openSocket();
  }

  // Says who speaks as well: whoever signs in here meanwhile must not get what another one has said.
  async hello() {
    const { user = null } = await whoIsHere();
    const { session, procedure, sampleRate } = this;
    const { id: key } = this.spool;
    return JSON.stringify({
      type: 'hello',
      protocol: PROTOCOL,
      session,
      procedure,
      sample_rate: sampleRate,
      key,
      user,
    });
  }

  openSocket() {
    const url = new URL('ws/microphone', this.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = async () => socket.send(await this.hello());
    socket.onmessage = ({ data }) => {
      if (socket === this.socket) this.receive(JSON.parse(data));
    };
    socket.onclose = () => {
      if (socket === this.socket) this.lost();
    };
  }

  lost() {
    this.socket = null;
    if (this.closed) return;
    this.setConnected(false);
    this.failures += 1;
    this.retryLater();
    this.askWhetherSignedIn();
  }

  // A socket that is refused does not say why.
  async askWhetherSignedIn() {
    const why = await signInProblem();
    if (why) this.mustSignIn(why);
  }

  /** @param {string} why */
  mustSignIn(why) {
    if (this.connected || this.closed) return;
    this.signInEnded = why;
    this.onChange();
  }

  retryLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(LONGEST_WAIT_MS, this.wait * 2);
  }

  retryNow() {
    this.wait = FIRST_WAIT_MS;
    if (!this.connected && !this.socket && !this.posting) this.connect();
  }

  // A connection may be dead without having been closed; then nothing is acknowledged any more, and no last word comes.
  breakIfStalled() {
    if (this.posted && performance.now() - this.posted.since > POST_STALLED_MS) this.posted.given.abort();
    const waiting = this.pending[0]?.sent || this.stopSent || (this.socket && !this.connected);
    if (!waiting) this.waitingSince = null;
    else this.waitingSince ??= performance.now();
    if (this.socket && this.waitingSince && performance.now() - this.waitingSince > STALLED_MS) {
      this.waitingSince = null;
      const { socket } = this;
      socket.onclose = null;
      socket.close();
      this.lost();
    }
  }

  /** @param {boolean} connected */
  setConnected(connected) {
    if (this.connected !== connected) {
      this.connected = connected;
      this.onChange();
    }
  }

  send() {
    this.onChange();
    if (!this.connected || !this.socket) return;
    for (const frame of this.pending) {
      if (!frame.sent) {
        this.socket.send(frame.buffer);
        frame.sent = true;
      }
    }
    for (const control of this.controls.splice(0)) this.socket.send(JSON.stringify(control));
    if (this.stopAt !== null && !this.stopSent) {
      this.stopSent = true;
      this.socket.send(JSON.stringify({ type: 'stop', samples: this.stopAt }));
    }
  }

  /** @param {ServerMessage} message */
  receive(message) {
    if (!this.pending.length) this.waitingSince = null;
    if (message.type === 'welcome') this.welcomed(message);
    else if (message.type === 'ack') this.forget(message.samples);
    else if (message.type === 'live') this.words = message.from_word + message.committed.length;
    else if (message.type === 'preview') this.preview = message.number;
    else if (message.type === 'problem' && !message.again) this.refused(message);
    else if (message.type === 'problem' && message.sign_in) this.mustSignIn(message.text);
    else if (message.type === 'stopped') this.over(message.samples);
    this.onMessage(message);
    if (message.type === 'final') {
      this.close();
      this.spool.remove();
    }
  }

  /** @param {WelcomeMessage} message */
  welcomed(message) {
    this.session = message.session;
    this.spool.describe(this);
    this.waitingSince = null;
    this.everOpened = true;
    this.signInEnded = null;
    this.failures = 0;
    this.wait = FIRST_WAIT_MS;
    this.forget(message.samples);
    for (const frame of this.pending) frame.sent = false;
    this.stopSent = false;
    // The choice may have been said into a dead connection; to say it twice does no harm.
    if (this.hasChosen) this.controls.push({ type: 'procedure', procedure: this.procedure });
    this.setConnected(true);
    this.send();
  }

  /** @param {number} samples */
  forget(samples) {
    if (samples > this.saved) this.waitingSince = null;
    this.saved = Math.max(this.saved, samples);
    // After a reload the server may have what this page never saw; what is spoken from here on comes after that.
    this.samples = Math.max(this.samples, samples);
    let safe = 0;
    while (this.pending.length && this.pending[0].end <= samples) {
      safe = this.pending[0].end;
      this.pending.shift();
    }
    if (safe) this.spool.forget(safe);
    this.onChange();
  }

  /** @param {ProblemMessage} message */
  refused({ gone }) {
    this.close();
    if (gone) this.spool.remove(); // who deletes a dictation deletes all of it
  }

  // No more is taken. What was spoken after the longest recording was reached is not missed, anything else is.
  /** @param {number} samples */
  over(samples) {
    this.isOver = true;
    this.forget(samples);
    if (this.stopAt === null) {
      this.pending = [];
      this.saved = this.samples;
    }
    this.onChange();
  }

  // The fallback: one POST after another until the recording is over.
  async runPosts() {
    if (this.posting) return;
    this.posting = true;
    try {
      for (const message of await this.post('microphone/hello', await this.hello())) this.receive(message);
      if (!this.connected && !this.closed) throw new Error('the server does not take it now');
      while (!this.closed) {
        await this.postControls();
        const isBehind = await this.postFrames();
        if (!isBehind) await new Promise((resolve) => setTimeout(resolve, POST_EVERY_MS));
      }
    } catch {
      this.setConnected(false);
      this.failures = 0; // try the socket again first: the network may be another one now
      this.everOpened = false;
      if (!this.closed) {
        this.retryLater();
        this.askWhetherSignedIn();
      }
    } finally {
      this.posting = false;
    }
  }

  async postFrames() {
    const frames = [];
    const savedBefore = this.saved;
    let size = 0;
    for (const { buffer } of this.pending) {
      if (size + buffer.byteLength > POST_FRAMES_BYTES) break;
      frames.push(buffer);
      size += buffer.byteLength;
    }
    const known = `words=${this.words}&preview=${this.preview}`;
    const path = `microphone/${this.session}/frames?${known}`;
    for (const message of await this.post(path, new Blob(frames))) this.receive(message);
    return this.pending.length > 0 && this.saved > savedBefore;
  }

  async postControls() {
    const messages = [...this.controls];
    if (this.stopAt !== null && !this.stopSent) messages.push({ type: 'stop', samples: this.stopAt });
    for (const message of messages) {
      for (const answer of await this.post(`microphone/${this.session}/messages`, JSON.stringify(message))) {
        this.receive(answer);
      }
      if (message.type === 'stop') this.stopSent = true;
      else this.controls.shift();
    }
  }

  /** @param {string} path @param {BodyInit} body @returns {Promise<ServerMessage[]>} */
  async post(path, body) {
    const given = new AbortController();
    this.posted = { given, since: performance.now() };
    try {
      const response = await fetch(new URL(path, this.base), { method: 'POST', body, signal: given.signal });
      if (response.status === 409) throw new Error('the server asks for another hello');
      return await response.json();
    } finally {
      this.posted = null;
    }
  }
}
