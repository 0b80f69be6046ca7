// Types for the scripts beside this file, as `make lint-js` checks them. No browser reads it.

// -- the microphone's protocol: docs/PROTOCOL.md -------------------------------------------------------------------------

interface WelcomeMessage {
  type: 'welcome';
  session: string;
  samples: number;
}

interface LiveMessage {
  type: 'live';
  from_word: number;
  committed: string[];
  tentative: string;
}

interface PreviewMessage {
  type: 'preview';
  number: number;
  record: string;
  checklist: string;
  checks: string;
}

interface ProblemMessage {
  type: 'problem';
  text: string;
  again: boolean;
  gone: boolean;
  sign_in: boolean;
}

type ServerMessage =
  | WelcomeMessage
  | LiveMessage
  | PreviewMessage
  | ProblemMessage
  | { type: 'ack'; samples: number }
  | { type: 'notice'; text: string | null }
  | { type: 'stopped'; samples: number }
  | { type: 'final'; session: string; problem: string | null };

type ControlMessage =
  | { type: 'procedure'; procedure: string }
  | { type: 'pause'; sample: number }
  | { type: 'stop'; samples: number };

// -- recording -----------------------------------------------------------------------------------------------------------

// `end` is the number of samples up to the end of the frame.
interface StoredFrame {
  buffer: ArrayBuffer;
  end: number;
}

interface PendingFrame extends StoredFrame {
  sent: boolean;
}

interface StoredRecording {
  id: string;
  session: string | null;
  procedure: string;
  sampleRate: number;
  user: string | null;
}

interface LeftBehind extends StoredRecording {
  frames: StoredFrame[];
}

interface UplinkOptions {
  base: string;
  procedure: string;
  sampleRate: number;
  session?: string | null;
  samples?: number;
  left?: LeftBehind | null;
  goesOn?: boolean;
  onMessage: (message: ServerMessage) => void;
  onChange: () => void;
}

interface SoundData {
  samples?: Int16Array;
  level?: number;
}

interface SoundSource {
  sampleRate: number;
  pause(): Promise<unknown>;
  resume(): Promise<unknown>;
  close(): Promise<unknown>;
}

interface SampleDictation {
  url: string;
  title: string;
  procedure: string;
}

// How a session stands, as `GET sessions/{id}` tells it.
interface Standing {
  session: string;
  procedure: string;
  state: string;
  complete: boolean;
  sample_rate: number;
  samples: number;
}

interface MicrophoneEvents {
  began(data: { session: string }): void;
  recorded(data: { session: string | null; problem: string | null; notice: string | null }): void;
}

interface TheMicrophone {
  session: string | null;
  left: Promise<LeftBehind[]>;
  readonly isActive: boolean;
  start(): Promise<void>;
  togglePause(): Promise<void>;
  stop(): Promise<string | null>;
  finishForSubmit(): Promise<string | null>;
  chooseProcedure(id: string): void;
  playSample(sample: SampleDictation): Promise<void>;
  restore(standing: Standing, left?: LeftBehind): void;
  mustSignIn(why: string): void;
  tookOver(session: string | null, seconds: number, problem: string | null): void;
}

// -- the page ------------------------------------------------------------------------------------------------------------

// What Gradio shows of a component, and is told to show.
interface PanelProps {
  value: string;
}

interface Who {
  user?: string | null;
  visit?: boolean;
}

interface WorkEvents {
  opened(data: { session: string }): void;
  closed(): void;
}

interface ReviewEvents {
  edited?(data: { session: string; decided: boolean }): void;
}

// HTML by `field/row`.
interface Closeups {
  cards: Record<string, string>;
  forms: Record<string, string>;
  filing: Record<string, string>;
  choices: string;
  columns: Record<string, string>;
}

// A cell's form, and the content that it stands in for.
interface Editor extends HTMLFormElement {
  shown: Node[];
  untouched: string;
  isLeft?: boolean;
}

interface PendingEntry {
  settle(): void;
  giveBack(problem: string): boolean;
}

// Where the keyboard goes on after a change: a cell, or the last row of a table.
interface Focus {
  target?: string;
  row?: string;
  table?: string;
  pending?: PendingEntry | null;
  button?: HTMLElement | null;
}

interface Window {
  endoscribe: {
    chooseProcedure(id: string): void;
    fittingProcedure(session: string, id: string): Promise<string>;
    finishForSubmit(): Promise<string | null> | null;
    isRecording(): boolean;
    clear(): void;
    say(text: string, kind?: 'info' | 'error'): void;
    remember?(session: string): void;
    refreshHistory?(): Promise<void>;
  };
}

// -- the browser ---------------------------------------------------------------------------------------------------------

// Every element on this page is HTML.
interface ParentNode {
  querySelector<K extends keyof HTMLElementTagNameMap>(selectors: K): HTMLElementTagNameMap[K] | null;
  querySelector<E extends HTMLElement = HTMLElement>(selectors: string): E | null;
  querySelectorAll<K extends keyof HTMLElementTagNameMap>(selectors: K): NodeListOf<HTMLElementTagNameMap[K]>;
  querySelectorAll<E extends HTMLElement = HTMLElement>(selectors: string): NodeListOf<E>;
}

interface Element {
  closest<K extends keyof HTMLElementTagNameMap>(selector: K): HTMLElementTagNameMap[K] | null;
  closest<E extends HTMLElement = HTMLElement>(selector: string): E | null;
}

interface HTMLElement {
  addEventListener<K extends keyof HTMLElementEventMap>(
    type: K,
    listener: (event: HTMLElementEventMap[K] & { target: HTMLElement }) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

// What there is on the audio thread besides.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
