/** Draws the key path, in the colours and signs of what the checks found. One column, so that it fits on a phone. */
import { KEY_PATH, type KeyPathName, type PartState, stateOf } from './key-path';
import { type Markup, markup } from '../../lib/text/markup';
import type { Report } from './model';

/** Signs that are told apart by their shape, too; drawn, because not every machine has fonts with them. 20 × 20. */
const SIGNS = {
  passed: markup`<circle cx="10" cy="10" r="9"/><path d="M5.5 10.5l3 3 6-6.5"/>`,
  failed: markup`<path class="area" d="M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3z"/><path d="M6.8 6.8l6.4 6.4m0-6.4l-6.4 6.4"/>`,
  'could-not-check': markup`<path class="area" d="M10 1.5L19 18H1z"/><path d="M8 9.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.6-.8 1.3m0 2.4v.2"/>`,
  accepted: markup`<path class="area" d="M10 1.5L19 18H1z"/><path d="M10 7.5v5m0 2.3v.2"/>`,
  skipped: markup`<circle class="dashed" cx="10" cy="10" r="8.5"/><path d="M6 10h8"/>`,
} as const;
export type Sign = keyof typeof SIGNS;

/** Defines the signs once for the page. */
export const signs: Markup = markup`<svg class="signs" aria-hidden="true" focusable="false">${Object.entries(SIGNS).map(
  ([name, shape]) => markup`<symbol id="sign-${name}" viewBox="0 0 20 20">${shape}</symbol>`,
)}</svg>`;

/** A sign beside words that say the same. */
export function sign(name: Sign): Markup {
  return markup`<svg class="sign ${name}" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><use href="#sign-${name}"/></svg>`;
}

const WIDTH = 360;
const BOX = { width: 180, height: 62 } as const;
const LINK = 58;
/** The drive is beside MinIO. */
const DRIVE = { x: 232, width: WIDTH - 232 - 1 } as const;
const MIDDLE = 60;

const rowY = (row: number): number => 1 + row * (BOX.height + LINK);

export function diagramOf(report: Report): Markup {
  const state = (name: KeyPathName): PartState => stateOf(KEY_PATH[name], report);
  const height = rowY(3) + BOX.height + 1;
  return markup`<svg class="diagram" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="diagram-title diagram-text">
<title id="diagram-title">The path of the keys</title>
<desc id="diagram-text">${spoken(state)}</desc>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 0l8 4-8 4z"/></marker></defs>
${link('clientLink', state('clientLink'), 0)}
${link('kesLink', state('kesLink'), 1)}
${link('storeLink', state('storeLink'), 2)}
<path class="wire ${state('drive').status}" d="M${BOX.width + 3} ${rowY(1) + BOX.height / 2}H${DRIVE.x - 3}"/>
${client()}
${box('minio', state('minio'), rowY(1))}
${box('kes', state('kes'), rowY(2))}
${box('keyStore', state('keyStore'), rowY(3))}
${drive(state('drive'))}
</svg>`;
}

function client(): Markup {
  return markup`<g class="part plain"><rect x="1" y="1" width="${BOX.width}" height="${BOX.height}" rx="8"/>
<text class="name" x="14" y="27">S3 client</text><text x="14" y="47">your backup program</text></g>`;
}

function box(name: KeyPathName, { status, words }: PartState, y: number): Markup {
  return markup`<g class="part ${status}"><rect x="1" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="8"/>
${placedSign(status, 14, y + 12)}<text class="name" x="42" y="${y + 27}">${KEY_PATH[name].name}</text>
<text x="14" y="${y + 49}">${words}</text></g>`;
}

function drive({ status, words }: PartState): Markup {
  const y = rowY(1);
  return markup`<g class="part ${status}"><rect x="${DRIVE.x}" y="${y}" width="${DRIVE.width}" height="${BOX.height}" rx="8"/>
${placedSign(status, DRIVE.x + 10, y + 12)}<text class="name" x="${DRIVE.x + 36}" y="${y + 27}">${KEY_PATH.drive.name}</text>
<text x="${DRIVE.x + 10}" y="${y + 49}">${words}</text></g>`;
}

/** The arrow below the box of a row, its sign in the middle and its words beside it. */
function link(name: KeyPathName, { status, words }: PartState, row: number): Markup {
  const from = rowY(row) + BOX.height;
  const middle = from + LINK / 2;
  return markup`<g class="link ${status}"><path class="wire ${status}" d="M${MIDDLE} ${from + 3}V${from + LINK - 3}"/>
<circle class="hole" cx="${MIDDLE}" cy="${middle}" r="13"/>${placedSign(status, MIDDLE - 10, middle - 10)}
<text class="name" x="${MIDDLE + 22}" y="${middle - 3}">${KEY_PATH[name].name}</text><text x="${MIDDLE + 22}" y="${middle + 14}">${words}</text></g>`;
}

function placedSign(status: PartState['status'], x: number, y: number): Markup {
  const name = status === 'unchecked' ? 'skipped' : status;
  return markup`<use class="sign ${name}" href="#sign-${name}" x="${x}" y="${y}" width="20" height="20"/>`;
}

function spoken(state: (name: KeyPathName) => PartState): string {
  const said = (Object.keys(KEY_PATH) as KeyPathName[]).map((name) => `${KEY_PATH[name].name}: ${state(name).words}`);
  return `From the S3 client over TLS to MinIO, which keeps ciphertext on its drive; over mTLS to KES; with an AppRole to the key store. ${said.join('; ')}.`;
}
