/** URLs are good for what was signed, as long as was signed. */
import { CheckFailure, type OutsideCheck } from '../check';
import { SSE_S3 } from '../objects/modes';
import { presignedGet } from '../objects/presigned';
import { write } from '../round-trips/samples';

const HOUR_MS = 3_600_000;

export const presignedUrlsRefused: OutsideCheck = {
  from: 'outside',
  id: 'altered-presigned-url-refused',
  title: 'A presigned URL that expired or was altered is refused',
  proves:
    'A presigned URL that reads an object is refused once it expired. So it is with another object, method, time or ' +
    'signature, while unaltered it is good.',
  doesNotProve: 'That no URL that is still good has leaked: a URL is all that a reader needs.',
  severity: 'critical',
  run: async (context) => {
    const { key } = await write(context, 'presigned', SSE_S3);
    const { key: other } = await write(context, 'presigned-other', SSE_S3);
    const good = await presignedGet(context, key);
    const control = await context.minio.send({ method: 'GET', path: good });
    if (control.status !== 200) {
      throw new Error(`an unaltered presigned GET answered ${control.status}, so that a refusal would say nothing`);
    }
    const altered = {
      expired: { method: 'GET', path: await presignedGet(context, key, new Date(Date.now() - HOUR_MS)) },
      'for another object': { method: 'GET', path: good.replace(`/${key}?`, `/${other}?`) },
      'with another method': { method: 'DELETE', path: good },
      'with a longer time': { method: 'GET', path: good.replace(/X-Amz-Expires=\d+/, 'X-Amz-Expires=86400') },
      'with another signature': { method: 'GET', path: good.replace(/(X-Amz-Signature=)./, '$1g') },
    } as const;
    const refused: Record<string, string> = {};
    for (const [name, request] of Object.entries(altered)) {
      const { status, text } = await context.minio.send(request);
      const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? 'no S3 error';
      if (status < 300) {
        throw new CheckFailure(
          `a presigned URL ${name} answered ${status}`,
          'something in front of the server signs requests anew, or gives out what it kept: take it away from the way',
          { refused },
        );
      }
      if (status !== 403 && status !== 400) throw new Error(`a presigned URL ${name} answered ${status} ${code}`);
      refused[name] = `${status} ${code}`;
    }
    return { refused };
  },
};
