/** One thing measured against another. */
export interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly baseline: { readonly name: string; readonly value: number };
  readonly value: number;
  /** value / baseline */
  readonly ratio: number;
  /** Smallest and largest ratio of a single round. */
  readonly range: readonly [number, number];
  /** What the project promises. */
  readonly goal?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('the median of nothing');
  return (upper + lower) / 2;
}

/** Compares what was measured round by round; each round's values were measured right after each other. */
export function compare(
  { what, unit, goal, baselineName }: { what: string; unit: string; goal?: string; baselineName: string },
  values: readonly number[],
  baseline: readonly number[],
): Comparison {
  const ratios = values.map((value, index) => value / (baseline[index] ?? NaN));
  return {
    what,
    unit,
    baseline: { name: baselineName, value: median(baseline) },
    value: median(values),
    ratio: median(ratios),
    range: [Math.min(...ratios), Math.max(...ratios)],
    ...(goal === undefined ? {} : { goal }),
  };
}

export function comparisonText(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ what, unit, value, baseline, ratio, range, goal }) => [
    what,
    `${value.toFixed(1)} ${unit}`,
    `${baseline.value.toFixed(1)} ${unit}`,
    ratio.toFixed(2),
    `${range[0].toFixed(2)} … ${range[1].toFixed(2)}`,
    goal ?? '',
  ]);
  const table = [['what', 'measured', 'baseline', 'ratio', 'of single rounds', 'goal'], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
