/** Evidence as tables: nested values as nested tables, several things of one kind as one table of rows and columns. */
import type { Evidence, EvidenceValue } from '../check';
import { type Markup, markup } from '../../lib/text/markup';

/** More columns cannot be read on paper. */
const MAX_COLUMNS = 7;

/** @param label of what it is evidence, for those who do not see the page */
export function evidenceOf(evidence: Evidence, label: string): Markup {
  return valueOf(evidence, label);
}

function valueOf(value: EvidenceValue, label: string): Markup {
  if (isList(value)) return list(value, label);
  if (isEvidence(value)) return facts(value, label);
  return markup`<span class="value">${String(value)}</span>`;
}

function list(values: readonly EvidenceValue[], label: string): Markup {
  if (values.length === 0) return markup`<span class="value">none</span>`;
  const columns = columnsOf(values);
  if (columns !== undefined) return matrix(columns, values.filter(isEvidence), label);
  return markup`<ul class="values">${values.map((value) => markup`<li>${valueOf(value, label)}</li>`)}</ul>`;
}

function facts(evidence: Evidence, label: string): Markup {
  const entries = Object.entries(evidence);
  if (entries.length === 0) return markup`<span class="value">none</span>`;
  const columns = columnsOf(Object.values(evidence));
  if (columns !== undefined)
    return matrix(columns, Object.values(evidence).filter(isEvidence), label, Object.keys(evidence));
  return markup`<table class="facts-of"><tbody>${entries.map(
    ([name, value]) => markup`<tr><th scope="row">${name}</th><td>${valueOf(value, `${label}, ${name}`)}</td></tr>`,
  )}</tbody></table>`;
}

/** A table that is wider than a phone scrolls by itself, also with the keys. */
function matrix(
  columns: readonly string[],
  rows: readonly Evidence[],
  label: string,
  names?: readonly string[],
): Markup {
  return markup`<div class="scroll" role="region" tabindex="0" aria-label="${label}"><table><thead><tr>${
    names === undefined ? undefined : markup`<td></td>`
  }${columns.map((column) => markup`<th scope="col">${column}</th>`)}</tr></thead><tbody>${rows.map(
    (row, index) =>
      markup`<tr>${names === undefined ? undefined : markup`<th scope="row">${names[index]}</th>`}${columns.map(
        (column) => markup`<td>${valueOf(row[column] ?? null, label)}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`;
}

/** The facts that several things have in common, if they have the same ones and each is small; else undefined. */
function columnsOf(values: readonly EvidenceValue[]): readonly string[] | undefined {
  const rows = values.filter(isEvidence);
  const [first] = rows;
  if (first === undefined || values.length < 2 || rows.length < values.length) return undefined;
  const columns = Object.keys(first);
  const alike = rows.every(
    (row) =>
      Object.keys(row).length === columns.length && columns.every((column) => column in row && isSmall(row[column])),
  );
  return alike && columns.length > 0 && columns.length <= MAX_COLUMNS ? columns : undefined;
}

function isSmall(value: EvidenceValue | undefined): boolean {
  return isList(value) ? value.every((one) => !isList(one) && !isEvidence(one)) : !isEvidence(value);
}

function isList(value: EvidenceValue | undefined): value is readonly EvidenceValue[] {
  return Array.isArray(value);
}

function isEvidence(value: EvidenceValue | undefined): value is Evidence {
  return typeof value === 'object' && value !== null && !isList(value);
}
