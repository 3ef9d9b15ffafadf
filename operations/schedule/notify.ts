/** Notifies of a scheduled run. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Environment } from '../../config/environment';
import type { Job } from '../../config/schema/runs';
import { ExternalError, messageOf } from '../lib/errors';
import { HttpClient } from '../lib/net/http';

export type NotifySettings = NonNullable<Environment['notify']>;

/** What is told, as JSON. Nothing in it is secret. */
export interface Message {
  /** One sentence. Chat services show a field of this name. */
  readonly text: string;
  readonly environment: string;
  readonly job: Job;
  readonly host: string;
  readonly outcome: 'passed' | 'warning' | 'failed';
  readonly exitCode: number;
  readonly startedAt: string;
  readonly seconds: number;
  /** Lines that say what failed, and what to do. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** What the command printed last. */
  readonly lastLines: readonly string[];
}

const TIMEOUT_MS = 30_000;

/** @throws ExternalError if the message did not arrive */
export async function notify(settings: NotifySettings, message: Message): Promise<void> {
  if (settings.type === 'command') await runProgram(settings.command, message);
  else await post(settings, message);
}

/** Whether a run is to be told of. */
export function isTold({ when }: NotifySettings, outcome: Message['outcome']): boolean {
  return when === 'always' || outcome !== 'passed';
}

async function runProgram([program, ...args]: readonly [string, ...string[]], message: Message): Promise<void> {
  const hint = 'notify.command gets the message as JSON on its standard input; run it by hand';
  const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'], timeout: TIMEOUT_MS });
  // who does not read it all ends the pipe, and its exit code says the rest
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${JSON.stringify(message)}\n`);
  const end = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => {
      resolve(`could not be started: ${error.message}`);
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal} (limit: 30 s)`);
    });
  });
  if (end !== undefined) throw new ExternalError(`the message was not delivered: ${program} ${end}`, hint);
}

async function post(
  { urlFile, caFile }: Extract<NotifySettings, { type: 'webhook' }>,
  message: Message,
): Promise<void> {
  const hint = 'see whether the address in notify.urlFile is still valid';
  const url = webhookUrl(urlFile);
  const http = new HttpClient({ url: url.origin, ...(caFile === undefined ? {} : { caFile }) });
  try {
    const path = `${url.pathname}${url.search}`;
    const { status } = await http.send({ method: 'POST', path, json: message, timeoutMs: TIMEOUT_MS });
    if (status >= 200 && status < 300) return;
    // neither path nor query: they may hold a token
    throw new ExternalError(`the message was not delivered: ${url.host} answered HTTP ${status}`, hint);
  } catch (error) {
    if (error instanceof ExternalError) throw error;
    const reason = messageOf(error).replaceAll(`${url.pathname}${url.search}`, '…');
    throw new ExternalError(`the message was not delivered: ${url.host}: ${reason}`, hint);
  } finally {
    http.close();
  }
}

/** @throws ExternalError if the file holds no https:// address; it never repeats the content */
export function webhookUrl(file: string): URL {
  const text = readFileSync(file, 'utf8').trim();
  if (!URL.canParse(text) || new URL(text).protocol !== 'https:') {
    throw new ExternalError(`${file} holds no https:// address`, 'write the address of the webhook into it, alone');
  }
  return new URL(text);
}
