// @ts-check

// Every cell up close and the form for it: fetched in one go when a report or a change to it comes, so that a click shows
// them without asking the server.

import * as page from './page.js';

/** @type {{ session: string | null, revision: string | undefined | null, content: Promise<Closeups | null> | null }} */
let latest = { session: null, revision: null, content: null };

// Begins to fetch what belongs to the state of the report on the screen; afterwards the same promise answers.
export function prepare() {
  const { session, revision } = document.querySelector('#review section.review')?.dataset ?? {};
  if (!session) return null;
  if (latest.session !== session || latest.revision !== revision || !latest.content) {
    latest = { session, revision, content: load(session) };
  }
  return latest.content;
}

/** @param {string} session @returns {Promise<Closeups | null>} */
async function load(session) {
  const answer = await page.ask(`sessions/${session}/closeups`);
  if (answer?.ok) return answer.json();
  if (latest.session === session) latest.content = null; // the next click asks again
  return null;
}

// HTML of 'cards' or 'forms'; undefined where there is none.
/** @param {'cards' | 'forms'} kind @param {DOMStringMap} cell */
export async function closeup(kind, { field, row }) {
  return (await prepare())?.[kind][`${field}/${row}`];
}
