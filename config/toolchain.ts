/** What the toolchain step found or built, as the stacks need it: only paths, hashes and versions. */
import { z } from 'zod';

/** A folder holding a Dockerfile and what it copies; `hash` is the SHA-256 over all of it. */
const imageContext = z.strictObject({
  context: z.string(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ImageContext = z.infer<typeof imageContext>;

export const toolchainSchema = z.strictObject({
  /** Build contexts, for `images: {source: build}`; absent where every image comes from a registry. */
  images: z
    .strictObject({
      /** Absent until an environment has this one of the two. */
      vault: imageContext.optional(),
      openbao: imageContext.optional(),
      kes: imageContext,
      minio: imageContext,
      /** Absent until an environment has several hosts. */
      haproxy: imageContext.optional(),
    })
    .optional(),
  /** Exact versions of the Terraform providers that `terraform init` will find. */
  providers: z.strictObject({
    source: z.enum(['mirror', 'registry']),
    docker: z.string(),
    vault: z.string(),
  }),
});
export type Toolchain = z.infer<typeof toolchainSchema>;
