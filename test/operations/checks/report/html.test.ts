import { createHash } from 'node:crypto';
import { htmlOf } from '../../../../operations/checks/report/html';
import { acceptedReport, failedReport, outsideReport, passedReport } from '../../../helpers/reports';

/** The rest of what the page must be is tested in a browser: test/e2e/report-page.e2e.test.ts. */
test('nothing that a server says becomes markup, and the policy allows the page its own style only', () => {
  const page = htmlOf(failedReport());
  expect(page).not.toMatch(/<script|javascript:|\son\w+=|\sstyle=|\ssrc=|url\((?!#)/i);
  expect(page).toContain('&#60;script&#62;alert(1)&#60;/script&#62;');
  const style = /<style>(.*)<\/style>/s.exec(page)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  expect(page).toContain(
    `content="default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"`,
  );
});

test('what failed comes first, the worst of it at the top', () => {
  const findings = [...htmlOf(failedReport()).matchAll(/<a href="#([\w-]+)">What \1 proves/g)].map(([, id]) => id);
  expect(findings).toEqual(['ciphertext-on-disk', 'range-read', 'kms-ready']);
});

test.each([
  [passedReport, /All \d+ checks passed</],
  [failedReport, /2 of \d+ checks failed</],
  [acceptedReport, /\d+ of \d+ checks passed, 1 with an accepted risk</],
  [outsideReport, /All 4 checks passed, \d+ excluded</],
])('the title says how it came out', (report, title) => {
  expect(htmlOf(report())).toMatch(title);
});

test('an accepted risk is among what needs attention, with what was found', () => {
  const page = htmlOf(acceptedReport());
  expect(page).toContain('<dt>Accepted risk</dt><dd>unsigned-streaming: an object is written without a signature</dd>');
  expect(page).toMatch(/<li class="accepted"><b>.*1<\/b>accepted risk<\/li>/);
});

test('words between backticks are code', () => {
  expect(htmlOf(failedReport())).toContain('see <code>docker logs ebs-production-minio</code>');
});
