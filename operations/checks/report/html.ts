/**
 * The report as one page for people: made to be attached to an audit, so everything is in it, and it loads
 * nothing. No script; what opens is `<details>`.
 */
import { createHash } from 'node:crypto';
import type { Severity } from '../check';
import type { CheckStatus } from '../runner';
import { diagramOf, type Sign, sign, signs } from './diagram';
import { evidenceOf } from './evidence';
import { KEY_PATH, type KeyPathPart, stateOf } from './key-path';
import { markup, Markup } from '../../lib/text/markup';
import { jsonOf, type Report, type ReportedResult, subjectOf } from './model';
import { STYLE } from './style';

const STATUS_WORDS: Readonly<Record<CheckStatus, string>> = {
  passed: 'passed',
  failed: 'failed',
  accepted: 'accepted risk',
  'could-not-check': 'could not be checked',
  skipped: 'skipped',
};

const SEVERITY_WORDS: Readonly<Record<Severity, string>> = {
  critical: 'Stored data may be readable by others, or lost.',
  high: 'Encryption does not work as declared.',
  medium: 'Everything is encrypted, but not everything that was promised works.',
};

/** Allows the page its own style and nothing else: what a server wrote into a message cannot do anything. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

export function htmlOf(report: Report): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Post-deploy checks of ${subjectOf(report)}: ${headline(report)}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
${signs}
${header(report)}
<main class="wrap">
<div class="overview">
${summary(report)}
${keyPath(report)}
</div>
${attention(report)}
${allChecks(report)}
${leftOut(report)}
${reading(report)}
</main>
${footer(report)}
</body>
</html>
`.text;
}

function header(report: Report): Markup {
  const { outcome, environment, endpoint, startedAt } = report;
  const of = environment === undefined ? markup`Endpoint` : markup`Environment <strong>${environment}</strong> at`;
  return markup`<header class="${outcome}"><div class="wrap">
<p class="kind">Encrypted backup storage · report of the post-deploy checks</p>
<h1>${sign(outcome)}<span>${headline(report)}</span></h1>
<p>${of} <code>${endpoint}</code>, ${time(startedAt)}</p>
</div></header>`;
}

function headline({ outcome, counts, results, leftOut }: Report): string {
  const ran = results.length - counts.skipped;
  const rest = leftOut.length === 0 ? '' : `, ${leftOut.length} excluded`;
  const risks = counts.accepted === 1 ? '1 with an accepted risk' : `${counts.accepted} with accepted risks`;
  switch (outcome) {
    case 'failed':
      return `${counts.failed} of ${checks(ran)} failed${rest}`;
    case 'could-not-check':
      return `${counts['could-not-check']} of ${checks(ran)} could not find out${rest}`;
    case 'passed':
      if (counts.accepted > 0) return `${counts.passed} of ${checks(ran)} passed, ${risks}${rest}`;
      return `${ran === 1 ? 'The check' : `All ${checks(ran)}`} passed${rest}`;
  }
}

function checks(count: number): string {
  return count === 1 ? '1 check' : `${count} checks`;
}

function summary(report: Report): Markup {
  const { counts, environment, endpoint, startedAt, durationMs, tool } = report;
  const tile = (count: number, name: string, words: string, icon: Sign): Markup =>
    markup`<li class="${count === 0 ? 'none' : name}"><b>${count === 0 ? undefined : sign(icon)}${count}</b>${words}</li>`;
  const fact = (name: string, value: Markup | string): Markup => markup`<dt>${name}</dt><dd>${value}</dd>`;
  const digest = createHash('sha256').update(jsonOf(report)).digest('hex');
  return markup`<section aria-labelledby="summary">
<h2 id="summary">Summary</h2>
<ul class="counts">
${tile(counts.passed, 'passed', 'passed', 'passed')}
${tile(counts.failed, 'failed', 'failed', 'failed')}
${counts.accepted === 0 ? undefined : tile(counts.accepted, 'accepted', 'accepted risk', 'accepted')}
${tile(counts['could-not-check'], 'could-not-check', 'could not check', 'could-not-check')}
${tile(counts.skipped, 'skipped', 'skipped', 'skipped')}
${report.leftOut.length === 0 ? undefined : tile(report.leftOut.length, 'left-out', 'excluded', 'skipped')}
</ul>
<dl class="facts">
${environment === undefined ? fact('Deployed by', 'not known; checked from outside') : fact('Environment', environment)}
${fact('S3 endpoint', markup`<code>${endpoint}</code>`)}
${fact('Started', time(startedAt))}
${fact('Took', duration(durationMs))}
${fact('Checked by', `${tool.name} ${tool.version}`)}
${fact('checks.json', markup`SHA-256 <code>${digest}</code>`)}
</dl>
</section>`;
}

function keyPath(report: Report): Markup {
  return markup`<section aria-labelledby="key-path">
<h2 id="key-path">Key path</h2>
<figure>
${diagramOf(report)}
<figcaption>Each part has the colour and the sign of the checks that guard it. <a href="#parts">Which checks guard which part</a></figcaption>
</figure>
</section>`;
}

const ATTENTION: readonly CheckStatus[] = ['failed', 'could-not-check', 'accepted'];
const CAUSE: Partial<Record<CheckStatus, string>> = { failed: 'Cause', accepted: 'Accepted risk' };

function attention({ results }: Report): Markup | undefined {
  const rank = (one: ReportedResult): number =>
    ATTENTION.indexOf(one.status) * 10 + ['critical', 'high', 'medium'].indexOf(one.severity);
  const findings = results.filter(({ status }) => ATTENTION.includes(status)).sort((a, b) => rank(a) - rank(b));
  if (findings.length === 0) return undefined;
  return markup`<section aria-labelledby="attention">
<h2 id="attention">What needs attention</h2>
${findings.map(
  (result) => markup`<article class="finding ${result.status}">
<h3>${sign(result.status)}<span>${result.title}</span></h3>
${about(result)}
<dl class="explained"><dt>${CAUSE[result.status] ?? 'Why it could not check'}</dt><dd>${prose(result.message)}</dd>
${result.fix === undefined ? undefined : markup`<dt>Fix</dt><dd>${prose(result.fix)}</dd>`}</dl>
<p><a href="#${result.id}">What ${result.id} proves, and its evidence</a></p>
</article>`,
)}
</section>`;
}

function allChecks({ results }: Report): Markup {
  return markup`<section aria-labelledby="checks">
<h2 id="checks">All checks</h2>
${results.map(
  (result) => markup`<details class="${result.status}">
<summary>${sign(result.status)}<div><h3>${result.title}</h3>${about(result)}</div></summary>
<div class="body" id="${result.id}">
<dl class="explained">
${result.message === undefined ? undefined : markup`<dt>${CAUSE[result.status] ?? 'Why'}</dt><dd>${prose(result.message)}</dd>`}
${result.fix === undefined ? undefined : markup`<dt>Fix</dt><dd>${prose(result.fix)}</dd>`}
<dt>Proves</dt><dd>${result.proves}</dd>
<dt>Does not prove</dt><dd>${result.doesNotProve}</dd>
</dl>
${
  result.evidence === undefined
    ? undefined
    : markup`<div class="evidence"><h4>Evidence</h4>${evidenceOf(result.evidence, `Evidence of ${result.id}`)}</div>`
}
</div>
</details>`,
)}
</section>`;
}

function about({ id, severity, durationMs, status }: ReportedResult): Markup {
  const took = status === 'skipped' ? undefined : markup`<span>${duration(durationMs)}</span>`;
  return markup`<div class="about"><code>${id}</code><span class="tone">${STATUS_WORDS[status]}</span><span>severity <span class="${severity}">${severity}</span></span>${took}</div>`;
}

function leftOut({ leftOut }: Report): Markup | undefined {
  if (leftOut.length === 0) return undefined;
  return markup`<section aria-labelledby="left-out">
<h2 id="left-out">Left out</h2>
<p class="muted">These checks were not run, each for the reason beside it. This report says nothing about what they prove.</p>
<ul class="left-out-list">${leftOut.map(
    ({ id, title, reason }) =>
      markup`<li id="${id}"><h3>${title}</h3><p class="about"><code>${id}</code></p><p>${prose(reason)}</p></li>`,
  )}</ul>
</section>`;
}

function reading(report: Report): Markup {
  const term = (name: Markup | string, words: string): Markup => markup`<dt>${name}</dt><dd>${words}</dd>`;
  return markup`<section aria-labelledby="reading">
<h2 id="reading">How to read this report</h2>
<dl class="explained legend">
${term(signed('passed', 'passed'), 'What the check guards is as it should be.')}
${term(signed('failed', 'failed'), 'It is not.')}
${term(signed('accepted', 'accepted risk'), 'It is not, and the environment file says that it may be.')}
${term(signed('could-not-check', 'could not check'), 'Something prevented the check.')}
${term(signed('skipped', 'skipped'), 'The check means nothing for this environment. It counts neither way.')}
${Object.entries(SEVERITY_WORDS).map(([severity, words]) => term(`severity ${severity}`, words))}
</dl>
<h3 id="parts">Which checks guard which part of the key path</h3>
<ul class="parts">${Object.values(KEY_PATH).map((one: KeyPathPart) => part(one, report))}</ul>
</section>`;
}

function part(one: KeyPathPart, report: Report): Markup {
  const { status, words } = stateOf(one, report);
  const known = [...report.results, ...report.leftOut].map(({ id }) => id);
  const guards = one.guards.map((id) =>
    known.includes(id) ? markup`<a href="#${id}"><code>${id}</code></a> ` : markup`<code>${id}</code> `,
  );
  return markup`<li class="${status}"><h4>${one.name}</h4>${signed(status === 'unchecked' ? 'skipped' : status, words)}<p>${one.role}</p><p>${guards}</p></li>`;
}

function footer({ tool, finishedAt }: Report): Markup {
  return markup`<footer class="wrap"><p>Written by ${tool.name} ${tool.version} at ${time(finishedAt)}. The same report for programs: <code>checks.json</code> and, as JUnit XML, <code>checks.xml</code>.</p></footer>`;
}

function signed(icon: Sign, words: string): Markup {
  return markup`<span class="state ${icon}">${sign(icon)}${words}</span>`;
}

/** What is between backticks is to be typed or looked up as it is. */
function prose(text = ''): Markup[] {
  return text
    .split(/`([^`]+)`/)
    .map((piece, index) => (index % 2 === 1 ? markup`<code>${piece}</code>` : markup`${piece}`));
}

function time(iso: string): Markup {
  const words = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'medium', timeZone: 'UTC' });
  return markup`<time datetime="${iso}">${words.format(new Date(iso))} UTC</time>`;
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}
