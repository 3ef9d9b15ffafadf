/** The page of the checks as a browser shows it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { htmlOf } from '../../operations/checks/report/html';
import { junitOf } from '../../operations/checks/report/junit';
import type { Report } from '../../operations/checks/report/model';
import { accessibilityProblems, contrasts, overflow, startBrowser } from '../helpers/e2e/clients/browser';
import { failedReport, outsideReport, passedReport } from '../helpers/reports';

const REPORTS = { passed: passedReport(), failed: failedReport(), outside: outsideReport() } as const;
const DESKTOP = { width: 1280, height: 900 } as const;
const PHONE = { width: 360, height: 740 } as const;

let folder: string;
let browser: Browser;
/** What the pages of a test asked for, and complained about. */
let requests: string[];
let complaints: string[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ebs-report-page-'));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

async function open(report: Report, size: { width: number; height: number }, colorScheme: 'light' | 'dark' = 'light') {
  const file = path.join(folder, 'checks.html');
  writeFileSync(file, htmlOf(report));
  const page = await browser.newPage({ viewport: size, colorScheme });
  requests = [];
  complaints = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(pathToFileURL(file).href);
  return page;
}

async function openAllDetails(page: Page): Promise<void> {
  await page.evaluate('document.querySelectorAll("details").forEach((one) => { one.open = true; })');
}

describe.each(['passed', 'failed', 'outside'] as const)('of a report that says %s', (name) => {
  const report = REPORTS[name];

  describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
    test.each([
      ['a phone', PHONE],
      ['a desktop', DESKTOP],
    ])('on %s everything fits, can be read, and nothing is fetched', async (_, size) => {
      const page = await open(report, size, colorScheme);
      expect(await overflow(page)).toBe(0);
      await openAllDetails(page);
      expect(await overflow(page)).toBe(0);
      const texts = await contrasts(page);
      expect(texts.length).toBeGreaterThan(report.results.length * 10);
      expect(texts.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
      expect(requests).toEqual([page.url()]);
      expect(complaints).toEqual([]);
    });
  });

  test('those who do not see it, or have no mouse, can use it', async () => {
    const page = await open(report, PHONE);
    await openAllDetails(page);
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test('every check is on it with what it proves and what it does not', async () => {
    const page = await open(report, DESKTOP);
    await openAllDetails(page);
    for (const { id, title, proves, doesNotProve } of report.results) {
      const shown = page.locator('details', { has: page.locator(`[id="${id}"]`) });
      for (const text of [id, title, proves, doesNotProve]) await shown.getByText(text, { exact: true }).waitFor();
    }
    for (const { id, title, reason } of report.leftOut) {
      const shown = page.locator(`li[id="${id}"]`);
      for (const text of [title, reason]) await shown.getByText(text, { exact: true }).waitFor();
    }
  });
});

test('the keyboard opens and closes a check', async () => {
  const page = await open(REPORTS.passed, PHONE);
  const first = page.locator('details').first();
  const proves = first.getByText(REPORTS.passed.results[0]?.proves ?? '');
  expect(await proves.isVisible()).toBe(false);
  const focused = async (): Promise<string> => page.evaluate('document.activeElement.tagName');
  for (let presses = 0; presses < 5 && (await focused()) !== 'SUMMARY'; presses++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  expect(await proves.isVisible()).toBe(true);
  await page.keyboard.press('Space');
  expect(await proves.isVisible()).toBe(false);
});

test('a link to the evidence opens the check that it leads to', async () => {
  const page = await open(REPORTS.failed, PHONE);
  const evidence = page.locator('#ciphertext-on-disk').getByText('filesSearched');
  expect(await evidence.isVisible()).toBe(false);
  await page.getByRole('link', { name: 'What ciphertext-on-disk proves, and its evidence' }).click();
  expect(await evidence.isVisible()).toBe(true);
});

test('on paper every check is open', async () => {
  const page = await open(REPORTS.passed, DESKTOP);
  await page.emulateMedia({ media: 'print' });
  for (const { id } of REPORTS.passed.results) expect(await page.locator(`[id="${id}"]`).isVisible()).toBe(true);
});

test('the diagram shows what failed by colour and by sign', async () => {
  const page = await open(REPORTS.failed, PHONE);
  const signs = await page.evaluate(`[...document.querySelectorAll('.diagram .part, .diagram .link')].map((part) => {
    const sign = part.querySelector('use');
    return [part.querySelector('.name').textContent, sign?.getAttribute('href'), sign && getComputedStyle(sign).color];
  })`);
  const [green, red, amber] = ['rgb(20, 108, 57)', 'rgb(179, 35, 26)', 'rgb(122, 79, 0)'];
  expect(signs).toEqual([
    ['TLS', '#sign-passed', green],
    ['mTLS', '#sign-could-not-check', amber],
    ['AppRole', '#sign-could-not-check', amber],
    ['S3 client', undefined, null],
    ['MinIO', '#sign-failed', red],
    ['KES', '#sign-could-not-check', amber],
    ['Key store', '#sign-passed', green],
    ['Drive', '#sign-failed', red],
  ]);
});

test('the measurements find what is planted: pale text, pale text of the diagram, something too wide, a page without a language', async () => {
  const page = await open(REPORTS.passed, PHONE);
  await page.evaluate(`
    document.querySelector('footer p').style.color = '#999';
    document.querySelector('.diagram .plain text').style.fill = '#999';
    document.querySelector('main').style.width = '400px';
    document.documentElement.removeAttribute('lang');
  `);
  const pale = (await contrasts(page)).filter(({ contrast }) => contrast < 4.5);
  expect(pale.map(({ text }) => text)).toEqual(
    expect.arrayContaining(['S3 client', expect.stringMatching(/^Written by/)]),
  );
  expect(await overflow(page)).toBe(40);
  expect(await accessibilityProblems(page)).toContainEqual(expect.stringMatching(/^html-has-lang/));
});

test('the browser, too, reads the JUnit XML', async () => {
  const page = await open(REPORTS.failed, DESKTOP);
  const root = await page.evaluate(
    `new DOMParser().parseFromString(${JSON.stringify(junitOf(REPORTS.failed))}, 'application/xml').documentElement.nodeName`,
  );
  expect(root).toBe('testsuites');
});
