/**
 * What each operation that a deploy runs is told. Constructs write these values into a `local-exec`, operations read
 * them back; both know them only from here. Nothing in them is secret: paths, addresses and names.
 */
import { z } from 'zod';
import { kesConfigurationSchema } from './kes/kes-configuration';
import { IAM_USER, OBJECTS_USER, OPERATIONS_USER } from './deployment-names';
import { keyStorePlace } from './keys/key-store-place';

/** How a program is reached from where the deploy runs. */
const tlsEndpoint = z.strictObject({
  url: z.string(),
  /** Servers of other hosts that answer for the same, tried in their order where that one does not. */
  otherUrls: z.array(z.string()).optional(),
  /** CA certificates, PEM. Absent: the system's. */
  caFile: z.string().optional(),
  /** The name to ask for and to verify. Absent: the host of the address. */
  serverName: z.string().optional(),
});
export type TlsEndpoint = z.infer<typeof tlsEndpoint>;

/** The same for a client that shows a certificate. */
const mutualTlsEndpoint = tlsEndpoint.extend({ certificateFile: z.string(), privateKeyFile: z.string() });
export type MutualTlsEndpoint = z.infer<typeof mutualTlsEndpoint>;

/** The same where only some servers ask for a certificate. */
const clientEndpoint = tlsEndpoint.extend({
  certificateFile: z.string().optional(),
  privateKeyFile: z.string().optional(),
});
export type ClientEndpoint = z.infer<typeof clientEndpoint>;

/** Where one certificate and its key are, on the machine that deploys. */
const certificateFiles = z.strictObject({ certificate: z.string(), privateKey: z.string() });
export type CertificateFiles = z.infer<typeof certificateFiles>;

/** A Docker engine, as the environment file names it. */
const engineSettings = z.strictObject({ host: z.string(), certPath: z.string().optional() });

const leaf = z.strictObject({
  name: z.string(),
  usage: z.enum(['server', 'client']),
  dnsNames: z.array(z.string()),
  ipAddresses: z.array(z.string()),
});
export type LeafCertificate = z.infer<typeof leaf>;

const transitAccess = z.strictObject({
  type: z.literal('transit'),
  url: z.string(),
  namespace: z.string().optional(),
  /** CA certificates, PEM. Absent: the system's. */
  caFile: z.string().optional(),
  /** Path of the transit engine. */
  mount: z.string(),
  key: z.string(),
  /** File with a token that may encrypt and decrypt by that key. */
  tokenFile: z.string(),
});
const kmsAccess = z.strictObject({
  type: z.literal('awskms'),
  region: z.string(),
  key: z.string(),
  /** Absent: the one of the region. */
  endpoint: z.string().optional(),
  /** CA certificates, PEM. Absent: the public ones. */
  caFile: z.string().optional(),
  /** Shared credentials file of AWS. */
  credentialsFile: z.string(),
});
export type TransitAccess = z.infer<typeof transitAccess>;
export type KmsAccess = z.infer<typeof kmsAccess>;

const sealAccess = z.discriminatedUnion('type', [transitAccess, kmsAccess]);
/** The key of another Vault, or of AWS KMS, that opens an embedded Vault. */
export type SealAccess = z.infer<typeof sealAccess>;

const vaultInitialization = z.strictObject({
  environment: z.string(),
  endpoint: clientEndpoint,
  shares: z.number(),
  threshold: z.number(),
  /** Absent: it is Vault. */
  distribution: z.literal('openbao').optional(),
  unsealShareFiles: z.array(z.string()),
  rootTokenFile: z.string(),
  provisionerTokenFile: z.string(),
  provisionerPolicy: z.strictObject({ name: z.string(), document: z.string() }),
  /** Only with `monitoring`: the token that reads metrics, and its policy. */
  metrics: z
    .strictObject({ tokenFile: z.string(), policy: z.strictObject({ name: z.string(), document: z.string() }) })
    .optional(),
  /** What opens it in the place of unseal shares. Absent: they do. */
  seal: z
    .strictObject({
      access: sealAccess,
      recoveryShareFiles: z.array(z.string()),
      /** Whether Vault is to be taken back to unseal shares. */
      leave: z.boolean(),
      /** Which seal is in force is noted here. */
      noteFile: z.string(),
    })
    .optional(),
  canariesFile: z.string(),
  /** The other Vaults, of which one may be the active one and answer for this one. Absent: it is the only one. */
  others: z.array(mutualTlsEndpoint).optional(),
  /** The note of where the keys of the canaries are: perhaps not in this Vault. */
  placeFile: z.string(),
  /** When it must run again is noted here. */
  renewalNote: z.string(),
});

const bucketSettings = z.strictObject({
  name: z.string(),
  encryption: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('sse-s3') }),
    z.strictObject({ type: z.literal('sse-kms'), key: z.string() }),
  ]),
  // absent: not ours to say
  versioning: z.boolean().optional(),
  objectLock: z.boolean(),
  // absent: not ours to say
  retention: z
    .strictObject({ mode: z.enum(['governance', 'compliance']), days: z.number(), confirm: z.string().optional() })
    .optional(),
  lifecycle: z
    .array(
      z.strictObject({
        prefix: z.string().optional(),
        expireDays: z.number().optional(),
        expireNoncurrentDays: z.number().optional(),
      }),
    )
    .optional(),
  quotaGiB: z.number().optional(),
  tags: z.record(z.string(), z.string()).optional(),
  events: z
    .array(
      z.strictObject({
        webhook: z.string(),
        on: z.array(z.enum(['created', 'removed'])),
        prefix: z.string().optional(),
        suffix: z.string().optional(),
      }),
    )
    .optional(),
});

const secretIdSettings = {
  /** A duration; `0s`: without end. */
  ttl: z.string(),
  boundCidrs: z.array(z.string()),
  tokenBoundCidrs: z.array(z.string()),
};

/** What the SecretID of KES must be like, and who mints it. */
const secretId = z.discriminatedUnion('delivery', [
  z.strictObject({ delivery: z.literal('minted'), ...secretIdSettings }),
  z.strictObject({
    delivery: z.literal('wrapped'),
    /** File with the wrapping token. Absent: VAULT_WRAPPED_SECRET_ID. */
    wrappingTokenFile: z.string().optional(),
    ...secretIdSettings,
  }),
]);

/** The input of each operation, by the operation's name. */
export const operationInputs = {
  /** Notes which Docker engine the deployment is on. */
  'remember-engine': z.strictObject({
    file: z.string(),
    /** With several hosts: the place of this one among them. */
    number: z.number().optional(),
    /** With several pools: that of this host, and how many hosts it has. */
    pool: z.strictObject({ number: z.number(), hosts: z.number() }).optional(),
  }),

  /** Makes or renews the private CA and the leaf certificates. */
  'issue-certificates': z.strictObject({
    environment: z.string(),
    /** `ca.crt` and `<leaf>.crt` go here. */
    certificateFolder: z.string(),
    /** `ca.key` and `<leaf>.key` go here. */
    privateKeyFolder: z.string(),
    validityDays: z.number(),
    leaves: z.array(leaf),
    /** When it must run again is noted here, see constructs/expressions.ts. */
    renewalNote: z.string(),
  }),

  /** Puts the `trustedCAs` into one file, and beside it one with the CAs that every system trusts. */
  'import-trusted-cas': z.strictObject({
    /** Files, or folders of files. */
    sources: z.array(z.string()),
    file: z.string(),
    publicTrustFile: z.string(),
  }),

  /** Validates certificates from elsewhere and copies them, with their keys, to where a deploy takes them from. */
  'import-certificates': z.strictObject({
    /** The default one first. */
    certificates: z.array(z.strictObject({ from: certificateFiles, to: certificateFiles })),
    /** DNS names and addresses that they must cover. */
    names: z.array(z.string()),
    /** Root certificates that must have issued them. Absent: those that every system trusts, and `trustedCAs`. */
    ca: z.string().optional(),
    trustedCAs: z.array(z.string()),
    /** When it must run again is noted here. */
    renewalNote: z.string(),
  }),

  /** Orders certificates from an ACME authority, and again when a third of their life is left. */
  'order-certificates': z.strictObject({
    directory: z.string(),
    directoryCaFile: z.string().optional(),
    email: z.string(),
    accountKeyFile: z.string(),
    /** Only for authorities that bind accounts to their customers. The key stays in its file. */
    eab: z.strictObject({ keyId: z.string(), hmacKeyFile: z.string() }).optional(),
    challenge: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('http-01'), address: z.string(), port: z.number() }),
      z.strictObject({ type: z.literal('dns-01'), hook: z.string() }),
    ]),
    /** The default one first. */
    certificates: z.array(z.strictObject({ domains: z.array(z.string()), to: certificateFiles })),
    /** Which authority issued which certificate is noted here. */
    ledgerFile: z.string(),
    /** As for `import-certificates`. */
    names: z.array(z.string()),
    ca: z.string().optional(),
    trustedCAs: z.array(z.string()),
    /** When it must run again is noted here. */
    renewalNote: z.string(),
  }),

  /** Makes MinIO's root credentials, once. */
  'create-root-credentials': z.strictObject({
    /** `KEY=VALUE` lines for MINIO_CONFIG_ENV_FILE. */
    configEnvFile: z.string(),
    /** `{accessKey, secretKey}` for the operations. */
    rootFile: z.string(),
  }),

  /** Keeps the AWS credentials of KES: those of an earlier deploy, or what the usual chain finds. */
  'store-aws-credentials': z.strictObject({
    region: z.string(),
    file: z.string(),
  }),

  /** Initialises and unseals an embedded Vault and leaves a token with a narrow policy. */
  'initialize-vault': vaultInitialization,

  /** Waits until one Vault of several is unsealed, and a healthy voter beside the others. */
  'await-vault-node': z.strictObject({
    /** Name of its host. */
    host: z.string(),
    endpoint: mutualTlsEndpoint,
    /** By which the raft knows it. */
    raftNode: z.string(),
    /** The other Vaults. */
    peers: z.array(mutualTlsEndpoint.extend({ raftNode: z.string() })),
    threshold: z.number(),
    unsealShareFiles: z.array(z.string()),
    /** The token of the provisioner: it may ask for the state of the raft. */
    tokenFile: z.string(),
    /** Has it make sure of the tokens, in case the first Vault found no leader. Absent: it is the first one. */
    initialization: vaultInitialization.optional(),
    /** Whether no Vault is deployed after it, with which they might be a majority. */
    isLast: z.boolean(),
  }),

  /** Writes the configuration file of KES; with Vault, keeps the SecretID that it has or gets another. */
  'write-kes-configuration': z.strictObject({
    /** Only for master keys in Vault. */
    vault: clientEndpoint
      .extend({
        namespace: z.string().optional(),
        /** File with the token. Absent: VAULT_TOKEN. */
        tokenFile: z.string().optional(),
        secretId,
        /** When it must run again, and when the SecretID ends, is noted here. Absent: it does not end. */
        secretIdNote: z.string().optional(),
        /** What must be destroyed when the file is written is noted here, so that a rerun knows it, too. */
        outdatedSecretIds: z.string(),
      })
      .optional(),
    /** Only for master keys in AWS. Absent: KES asks the EC2 instance for those of its role. */
    awsCredentialsFile: z.string().optional(),
    configuration: kesConfigurationSchema,
    /** Folder with `<client>.crt` of every client, from which their identities are computed. */
    certificateFolder: z.string(),
    file: z.string(),
    /** Where the keys are, noted at the first deploy. */
    place: keyStorePlace,
    placeFile: z.string(),
  }),

  /** Waits until one KES of several answers and reaches its key store. */
  'await-kes-node': z.strictObject({
    /** Name of its host. */
    host: z.string(),
    endpoint: mutualTlsEndpoint,
  }),

  /** Makes a running program read its files again, and proves that it did. */
  'reload-container': z.strictObject({
    container: z.string(),
    signal: z.enum(['SIGHUP']),
    proof: z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('log'),
        /** Where it answers by TLS once it can take the signal. */
        url: z.string(),
        /** What the program logs when it has read its files. */
        success: z.string(),
        /** What it logs when it could not. */
        failures: z.array(z.string()),
      }),
      z.strictObject({
        kind: z.literal('certificates'),
        url: z.string(),
        /** Those that it must serve then, each under a name of its own, with the CA that issued it. */
        certificates: z.array(z.strictObject({ file: z.string(), caFile: z.string().optional() })),
        /** What a client must show it. Absent: nothing. */
        client: certificateFiles.optional(),
      }),
    ]),
  }),

  /** Creates each master key once, gives it a canary, and opens the canaries of those that exist. */
  'create-master-keys': z.strictObject({
    creator: mutualTlsEndpoint,
    prover: mutualTlsEndpoint,
    /** The keys that are declared. Others that have a canary are proven, and never created. */
    keys: z.array(z.string()),
    /** The client of KES that uses a key, where it is another than MinIO. */
    clients: z.record(z.string(), z.string()),
    canariesFile: z.string(),
    /** The engines on which the data may be. Absent: the one that the process is told of. */
    engines: z.array(engineSettings).optional(),
    /** The volume with MinIO's data: if it is there, a missing key was lost, not forgotten. Absent: see `drives`. */
    dataVolume: z.string().optional(),
    /** Where the data is on something else than one volume. */
    drives: z
      .strictObject({
        of: z.array(
          z.strictObject({
            kind: z.enum(['volume', 'folder']),
            source: z.string(),
            /** Whether what it holds was another MinIO's when it was declared: no key of ours is missing then. */
            adopted: z.boolean().optional(),
          }),
        ),
        /** Where it is noted which drives there are. */
        note: z.string(),
      })
      .optional(),
  }),

  /** Waits until objects can be written through every MinIO that runs, after one of several was deployed. */
  'await-minio-node': z.strictObject({
    /** Name of the host of the one that was deployed. */
    host: z.string(),
    /** All of them, in MinIO's order. */
    nodes: z.array(
      z.strictObject({ host: z.string(), engine: engineSettings, container: z.string(), endpoint: tlsEndpoint }),
    ),
    region: z.string(),
    /** Of the operations, and of root for as long as MinIO does not know those. */
    operationsFile: z.string(),
    rootFile: z.string(),
    /** Drives of this host, as MinIO names them, and where it is noted that they missed something. */
    drives: z.array(z.string()),
    awayDrives: z.string(),
  }),

  /** Waits until MinIO, its KMS and its IAM are ready, and gives the project its identities. */
  'provision-identities': z.strictObject({
    endpoint: tlsEndpoint,
    region: z.string(),
    /** Makes the identities where there are none yet. */
    rootFile: z.string(),
    /** Where the credentials of each user are. */
    files: z.strictObject({ [OPERATIONS_USER]: z.string(), [IAM_USER]: z.string(), [OBJECTS_USER]: z.string() }),
    /** Whether MinIO lets root in afterwards. Absent: only once, where a deploy that knew no such users was before. */
    rootAccess: z.boolean().optional(),
    /** It is there when there was a deploy. */
    earlierObjects: z.string(),
    /** When it must run again is noted here. */
    renewalNote: z.string(),
  }),

  /** Creates the buckets, and makes them as they are declared. */
  'provision-buckets': z.strictObject({
    endpoint: tlsEndpoint,
    region: z.string(),
    operationsFile: z.string(),
    /** Of who makes policies and users. */
    iamFile: z.string(),
    buckets: z.array(bucketSettings),
    /** Whether to keep the policy that denies SSE-C. */
    denySseC: z.boolean(),
    /** Only where a webhook gets a record of every request. */
    audit: z
      .strictObject({
        endpoint: z.string(),
        tokenFile: z.string().optional(),
        /** In MinIO's container. */
        queueFolder: z.string(),
        queueSize: z.number(),
      })
      .optional(),
    /** Where events of buckets may be sent. Absent with several hosts. */
    webhooks: z
      .strictObject({
        /** Container of MinIO, which reads them when it starts. */
        container: z.string(),
        /** In MinIO's container. */
        queueFolder: z.string(),
        declared: z.array(
          z.strictObject({
            name: z.string(),
            endpoint: z.string(),
            tokenFile: z.string().optional(),
            queueSize: z.number(),
          }),
        ),
      })
      .optional(),
    /** Only with `monitoring`. */
    metrics: z
      .strictObject({
        /** `{accessKey, secretKey}` of the user. */
        userFile: z.string(),
        tokenFile: z.string(),
        /** When it must run again, and when the token ends, is noted here. */
        renewalNote: z.string(),
      })
      .optional(),
  }),

  /** Gives each client of the S3 API its identity, and takes away those of others that a deploy made. */
  'provision-clients': z.strictObject({
    endpoint: tlsEndpoint,
    region: z.string(),
    iamFile: z.string(),
    clients: z.array(
      z.strictObject({
        name: z.string(),
        grants: z.array(
          z.strictObject({
            bucket: z.string(),
            prefix: z.string().optional(),
            may: z.enum(['read', 'append', 'write']),
            objectLock: z.boolean(),
            keys: z.array(z.string()),
          }),
        ),
        expireDays: z.number().optional(),
        sourceAddresses: z.array(z.string()).optional(),
      }),
    ),
    denySseC: z.boolean(),
    /** Folder of their access keys, a file for each. */
    folder: z.string(),
    /** When it must run again is noted here. */
    renewalNote: z.string(),
  }),

  /** Runs the post-deploy checks and writes their reports. */
  'run-checks': z.strictObject({
    /** The settings of the deployment, as an environment file writes them. Absent: they are in `EBS_ENVIRONMENT`. */
    environment: z.record(z.string(), z.unknown()).optional(),
  }),
} as const;

export type OperationName = keyof typeof operationInputs;
export type OperationInput<N extends OperationName> = z.infer<(typeof operationInputs)[N]>;
