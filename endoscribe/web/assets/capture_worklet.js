// @ts-check

// Runs on the audio thread: mono samples in, frames of 16-bit samples and a level out. While paused, input is dropped
// after the last partial frame has been handed over, so that the count of samples is the position in the recording.
const FRAME_S = 0.2;
const LEVEL_S = 0.05;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(Math.round(sampleRate * FRAME_S));
    this.filled = 0;
    this.peak = 0;
    this.sinceLevel = 0;
    this.running = true;
    this.port.onmessage = ({ data }) => {
      this.running = data === 'run';
      if (!this.running) {
        this.emit();
        this.port.postMessage({ flushed: true });
      }
    };
  }

  emit() {
    if (this.filled) {
      const samples = this.frame.slice(0, this.filled);
      this.port.postMessage({ samples }, [samples.buffer]);
      this.filled = 0;
    }
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channels = inputs[0];
    if (!this.running || !channels.length) return true;
    for (let i = 0; i < channels[0].length; i += 1) {
      let value = 0;
      for (const channel of channels) value += channel[i];
      value = Math.max(-1, Math.min(1, value / channels.length));
      this.frame[this.filled] = Math.round(value * 32767);
      this.filled += 1;
      this.peak = Math.max(this.peak, Math.abs(value));
      if (this.filled === this.frame.length) this.emit();
    }
    this.sinceLevel += channels[0].length;
    if (this.sinceLevel >= sampleRate * LEVEL_S) {
      this.port.postMessage({ level: this.peak });
      this.peak = 0;
      this.sinceLevel = 0;
    }
    return true;
  }
}

registerProcessor('capture', Capture);
