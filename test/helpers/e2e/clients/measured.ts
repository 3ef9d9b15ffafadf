/** Prints how long something took: numbers are read by people, only limits are tested. */
export function measured(what: string, seconds: number): void {
  process.stderr.write(`    measured: ${what}: ${seconds.toFixed(1)} s\n`);
}
