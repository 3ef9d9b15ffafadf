/** What all commands share: errors, interruption, exit codes. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { nearest } from '../../config/spelling';
import { ExternalError, messageOf, UsageError } from '../../operations/lib/errors';
import { printError } from '../../operations/lib/print-error';

const EXIT_INTERRUPTED = 130;

/** For the end of each `--help`. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done
  1    failed; the error says what and where
  64   wrong call or configuration; nothing was changed
  130  interrupted; run it again to continue`;

/**
 * Runs a command to its end and sets the exit code. SIGINT, SIGTERM and SIGHUP abort the signal, so that the command can end
 * its children and take back what is half-done; a second one ends at once.
 */
export async function main(command: (args: string[], signal: AbortSignal) => Promise<void>): Promise<void> {
  goOnUnread();
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (interruption.signal.aborted) process.exit(EXIT_INTERRUPTED);
      process.stderr.write(`\n${name}: stopping\n`);
      interruption.abort(new Error(`interrupted by ${name}`));
    });
  }
  try {
    await command(process.argv.slice(2), interruption.signal);
  } catch (error) {
    process.exitCode = interruption.signal.aborted ? EXIT_INTERRUPTED : printError(explain(error));
  }
}

/** Who reads no more, as `| head` does, ends no command: what is under way, a deploy perhaps, goes on to its end. */
function goOnUnread(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}

/** A full disk can show itself anywhere; it is no bug of ours. */
function explain(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException | null)?.code !== 'ENOSPC') return error;
  return new ExternalError(
    `no space left on the disk: ${messageOf(error)}`,
    'Free some space, then run it again; nothing half-written was kept.',
  );
}

/** An option that is there or not. */
export const FLAG = { type: 'boolean' } as const;

/** An option with a value. */
export const TEXT = { type: 'string' } as const;

/** An option with a value that may be given several times. */
export const LIST = { ...TEXT, multiple: true } as const;

type Options = NonNullable<ParseArgsConfig['options']>;

/** How many words stand before the environment. */
type Before = (words: readonly string[]) => number;

/** What was asked for. */
export type Call<Own extends Options> = ReturnType<typeof parseCommandLine<Own>> & {
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
};

/**
 * A command that takes one environment at most: with `--help` it prints that and nothing else.
 *
 * @param script its name in scripts/
 * @param before default: the environment stands first
 */
export async function command<const Own extends Options>(
  script: string,
  help: string,
  options: Own,
  run: (call: Call<Own>) => Promise<void> | void,
  before?: Before,
): Promise<void> {
  await main(async (args, signal) => {
    const parsed = parseCommandLine(script, args, options, before);
    if ('help' in parsed.values) process.stdout.write(help);
    else await run({ ...parsed, signal });
  });
}

/**
 * The options of a script, and `--help`.
 *
 * @throws UsageError that names what is wrong and where the help is
 */
export function parseCommandLine<const Own extends Options>(
  script: string,
  args: string[],
  own: Own,
  before: Before = () => 0,
) {
  const options: Own = { help: { ...FLAG, short: 'h' }, ...own };
  try {
    const parsed = parseArgs({ args, allowPositionals: true, options });
    const environments = parsed.positionals.slice(before(parsed.positionals));
    if (environments.length > 1) throw new Error(`one environment at most, got: ${environments.join(' ')}`);
    return parsed;
  } catch (error) {
    throw new UsageError(
      unknownOption(error, Object.keys(options)) ?? messageOf(error),
      `See ./scripts/${script} --help.`,
    );
  }
}

/** What Node.js says of an unknown option is about positional arguments. */
function unknownOption(error: unknown, known: readonly string[]): string | undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return undefined;
  const name = /'(-[^' ]*)'/.exec(messageOf(error))?.[1] ?? '';
  const written = name.replace(/^-+/, '');
  if (nearest(written, ['environment']) !== undefined) {
    return `there is no option ${name}: an environment is given by its name or path alone`;
  }
  const meant = nearest(written, known);
  return `there is no option ${name}${meant === undefined ? '' : `. Did you mean --${meant}?`}`;
}
