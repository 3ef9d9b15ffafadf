/** A real browser, and what can be measured in it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { findClient } from './client-programs';

/** Starts the Chromium of this machine, without a window. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = findClient('chromium');
  if (executablePath === undefined) throw new Error('there is no chromium; ./scripts/test installs it');
  return chromium.launch({
    executablePath,
    // Chromium refuses to run as root with its sandbox; what it shows here is the project's own page only
    chromiumSandbox: process.getuid?.() !== 0,
  });
}

/** A text that was looked at, and its contrast to what is behind it. */
export interface TextContrast {
  readonly text: string;
  /** From 1 to 21, as WCAG 2 defines it. */
  readonly contrast: number;
}

/** Measures every text that can be seen. */
export async function contrasts(page: Page): Promise<TextContrast[]> {
  return page.evaluate(readFileSync(path.join(__dirname, 'contrasts.cjs'), 'utf8'));
}

/** What is wrong with a page for those who use it by keyboard or do not see it: rules of WCAG 2 A and AA, and customs. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const { violations } = await page.evaluate<AxeResults>('axe.run(document, { resultTypes: ["violations"] })');
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html ?? ''} (${nodes.length})`);
}

/** How far a page is wider than its window, in CSS pixels. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}
