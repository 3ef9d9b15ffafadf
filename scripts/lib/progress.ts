/** Shows steps while they run: a live list on a terminal, plain lines elsewhere. Everything goes to stderr. */
import { Listr, type ListrTask, ListrLogger, ProcessOutput } from 'listr2';
import { duration } from '../../operations/lib/text/elapsed';
import { printable } from '../../operations/lib/text/printable';
import type { Step, StepContext } from '../../operations/lib/step';

/** Without a terminal, a long step says at most this often what it is doing. */
const PLAIN_INTERVAL_MILLISECONDS = 30_000;

/** Columns below which the list would be wrapped beyond reading. */
const NARROWEST_LIST = 60;

/** Runs the steps one after the other and shows each with its time. */
export async function showSteps(
  steps: readonly Step[],
  signal: AbortSignal,
  options: { readonly plain?: boolean } = {},
): Promise<void> {
  if (options.plain !== true && canShowList()) await showList(steps, signal);
  else for (const step of steps) await showPlainly(step, signal);
}

/** A list that is redrawn needs a terminal that says how wide it is. */
function canShowList(): boolean {
  const { stdout, stderr } = process;
  return stdout.isTTY && stderr.isTTY && stderr.columns >= NARROWEST_LIST && !process.env.CI;
}

function title(step: Step, remark: string | undefined, started: number): string {
  // a remark may quote what a server said
  return `${step.title}${remark === undefined ? '' : `: ${printable(remark)}`} (${duration(performance.now() - started)})`;
}

async function showPlainly(step: Step, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!(step.applies?.() ?? true)) return;
  const started = performance.now();
  let shown = started;
  const context: StepContext = {
    signal,
    report: (detail) => {
      if (performance.now() - shown < PLAIN_INTERVAL_MILLISECONDS) return;
      shown = performance.now();
      process.stderr.write(`… ${title(step, detail, started)}\n`);
    },
    announce: (line) => {
      shown = performance.now();
      process.stderr.write(`  ${line}\n`);
    },
  };
  try {
    const remark = await step.run(context);
    process.stderr.write(`✔ ${title(step, remark, started)}\n`);
  } catch (error) {
    process.stderr.write(`✖ ${title(step, undefined, started)}\n`);
    throw error;
  }
}

async function showList(steps: readonly Step[], signal: AbortSignal): Promise<void> {
  const tasks = steps.map((step): ListrTask => ({
    title: step.title,
    enabled: () => step.applies?.() ?? true,
    task: async (_, task) => {
      signal.throwIfAborted();
      const started = performance.now();
      const announced: string[] = [];
      const remark = await step.run({
        signal,
        report: (detail) => (task.output = detail),
        announce: (line) => {
          announced.push(line);
          task.title = [step.title, ...announced].join('\n');
        },
      });
      task.title = [title(step, remark, started), ...announced].join('\n');
    },
  }));
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) });
  const list = new Listr(tasks, {
    // an interrupted step has to take back what it began
    registerSignalListeners: false,
    rendererOptions: { logger, showErrorMessage: false },
  });
  await list.run();
}
