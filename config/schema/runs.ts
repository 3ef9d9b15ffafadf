/** What runs by itself, and who is told. */
import { z } from 'zod';
import { absolutePath } from './values';

const scheduledBackup = z.strictObject({
  to: z
    .string()
    .refine((place) => place.startsWith('/') || /^s3:\/\/[^/]+\/(?:.*\/)?$/.test(place), {
      error: 'must be an absolute path of a folder, or s3://bucket/ or s3://bucket/prefix/',
    })
    .describe('Folder on this machine, or prefix in another S3 storage, that gets a file for each backup.'),
  endpoint: z.url({ protocol: /^https$/, error: 'must be an https:// address' }).optional(),
  region: z.string().optional(),
  caFile: absolutePath.optional(),
  recipients: z
    .array(z.string())
    .min(1)
    .describe('Who can open the backups: age1…, or absolute paths of files with such lines.'),
  keep: z
    .int()
    .min(2)
    .default(30)
    .describe('Backups that stay in the folder; the oldest goes after a new one was proved. Not of an S3 storage.'),
});

export const JOBS = ['start', 'deploy', 'check', 'backup', 'drill', 'versions'] as const;

/** What `./scripts/schedule` has run regularly. */
export type Job = (typeof JOBS)[number];

export const schedule = z.strictObject({
  jobs: z
    .array(z.enum(JOBS))
    .min(1)
    .default([...JOBS])
    .describe(
      'What runs regularly: after each boot, what Docker could not start; a weekly deploy, which renews; nightly checks; a nightly backup; a monthly drill; a weekly look at versions.',
    ),
  backup: scheduledBackup.optional().describe('Where the nightly backup goes. Default: there is none.'),
  variablesFile: absolutePath
    .optional()
    .describe('File of `KEY=VALUE` lines for the scheduled commands, such as AWS_… and VAULT_TOKEN. Mode 0600.'),
});

const notifyWhen = z
  .enum(['problem', 'always'])
  .default('problem')
  .describe('problem: after a failure or a warning. always: after each run, for a service that misses a message.');

export const notify = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('command').describe('A program on this machine gets the message as JSON on its standard input.'),
    command: z.tuple([absolutePath], z.string()).describe('Program and arguments.'),
    when: notifyWhen,
  }),
  z.strictObject({
    type: z.literal('webhook').describe('An https:// address gets the message as JSON by POST.'),
    urlFile: absolutePath.describe('File with the address, which often holds a token. Mode 0600.'),
    caFile: absolutePath.optional().describe('CA certificates of the address, PEM. Default: the public ones.'),
    when: notifyWhen,
  }),
]);

export const monitoring = z.strictObject({
  textfile: absolutePath
    .optional()
    .describe(
      'Folder on this machine that node_exporter reads (--collector.textfile.directory). Checks, backups and drills leave ' +
        'ebs-<name>.prom there: what failed, what ends when, what is saved. Default: they write none.',
    ),
});
