// @ts-check

// What the server has not yet stored, kept on the visitor's own disk too, so that a tab that crashes or is closed without
// a network loses nothing: the next visit sends it. Frames leave as soon as the server has them.
// A browser without such storage (some private windows) keeps frames in memory alone; every call here then does nothing.

import { whoIsHere } from './who.js';

const DATABASE = 'endoscribe';
const RELEASED_WITHIN_MS = 1000;
const RECORDINGS = 'recordings'; // id -> {id, session, procedure, sampleRate, user}
const FRAMES = 'frames'; // [id, end] -> {buffer, end}: one frame and the number of samples up to its end

/** @type {Promise<IDBDatabase | null> | null} */
let database = null;

/** @returns {Promise<IDBDatabase | null>} */
function opened() {
  database ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(RECORDINGS, { keyPath: 'id' });
        request.result.createObjectStore(FRAMES);
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(null);
      request.onblocked = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return database;
}

// Runs `work` on the stores; what it returns is a request whose result is awaited.
/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(recordings: IDBObjectStore, frames: IDBObjectStore) => IDBRequest<T>} work
 * @returns {Promise<T | null>}
 */
async function transaction(mode, work) {
  const db = await opened();
  if (!db) return null;
  return new Promise((resolve) => {
    try {
      const running = db.transaction([RECORDINGS, FRAMES], mode);
      const request = work(running.objectStore(RECORDINGS), running.objectStore(FRAMES));
      running.oncomplete = () => resolve(request?.result ?? null);
      running.onabort = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}

// What one person's tab left behind is not another's to send: it would become theirs.
const userName = async () => (await whoIsHere()).user ?? null;

/** @param {string} id @param {number} [end] */
const framesOf = (id, end = Infinity) => IDBKeyRange.bound([id, 0], [id, end]);

export class Spool {
  /** @param {string} [id] */
  constructor(id = crypto.randomUUID()) {
    this.id = id;
  }

  // Must be called once before any frame, and again when the server has named the session.
  /** @param {Pick<StoredRecording, 'session' | 'procedure' | 'sampleRate'>} recording */
  async describe({ session, procedure, sampleRate }) {
    const recording = { id: this.id, session, procedure, sampleRate, user: await userName() };
    return transaction('readwrite', (recordings) => recordings.put(recording));
  }

  /** @param {StoredFrame} frame */
  keep({ buffer, end }) {
    return transaction('readwrite', (_, frames) => frames.put({ buffer, end }, [this.id, end]));
  }

  /** @param {number} end */
  forget(end) {
    return transaction('readwrite', (_, frames) => frames.delete(framesOf(this.id, end)));
  }

  remove() {
    return transaction('readwrite', (recordings, frames) => {
      recordings.delete(this.id);
      return frames.delete(framesOf(this.id));
    });
  }

  // Held for as long as this tab lives, so that no other tab takes the recording for one that was left behind.
  hold() {
    return lock(this.id, {});
  }
}

// Resolves to whether the lock was had; it is given back only when the tab ends.
/** @param {string} id @param {LockOptions} options @returns {Promise<boolean>} */
function lock(id, options) {
  if (!navigator.locks) return Promise.resolve(false);
  return new Promise((resolve) => {
    navigator.locks
      .request(`${DATABASE}-${id}`, options, (held) => {
        resolve(Boolean(held));
        return held ? new Promise(() => {}) : null;
      })
      .catch(() => resolve(false));
  });
}

// The user's recordings that no open tab works on, each with its frames in order; those without frames are cleared away.
// Somebody else's stay until they sign in here again. The recording into `session` is this tab's own from before a reload:
// the page that held it goes away while this one comes, so its lock is waited for.
/** @param {string | null} session @returns {Promise<LeftBehind[]>} */
export async function leftBehind(session) {
  const found = [];
  const mine = await userName();
  for (const recording of (await transaction('readonly', (recordings) => recordings.getAll())) ?? []) {
    if ((recording.user ?? null) !== mine) continue;
    const isOwn = session && recording.session === session;
    const options = isOwn ? { signal: AbortSignal.timeout(RELEASED_WITHIN_MS) } : { ifAvailable: true };
    if (!(await lock(recording.id, options))) continue;
    const frames = await transaction('readonly', (_, stored) => stored.getAll(framesOf(recording.id)));
    if (frames?.length) found.push({ ...recording, frames });
    else await new Spool(recording.id).remove();
  }
  return found;
}
