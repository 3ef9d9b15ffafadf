import { ExternalError, UsageError } from '../../../operations/lib/errors';
import { printError } from '../../../operations/lib/print-error';

/** Clears the screen, turns the direction of writing, and sets the title of the window. */
const HOSTILE = 'evil\u001b[2J\u202e\u001b]0;title\u0007end';

test.each([
  [new ExternalError(HOSTILE, HOSTILE), 1, 2],
  [new UsageError(HOSTILE), 64, 1],
  [new Error(HOSTILE), 1, 1],
])('what a server says does not steer the terminal: %#', (error, code, lines) => {
  const written: string[] = [];
  const spy = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    expect(printError(error)).toBe(code);
  } finally {
    spy.mockRestore();
  }
  expect(written.length).toBe(lines);
  expect(written.join('')).toMatch(/^(?:internal )?error: /);
  expect(written.join('')).toContain('evil\ufffd[2J\ufffd\ufffd]0;title\ufffdend');
  expect(written.join('')).not.toMatch(/[\u001b\u202e\u0007]/);
});
