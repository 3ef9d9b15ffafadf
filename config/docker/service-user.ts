/** User and group of every process: not root, and no user of the host by convention ("nonroot" of distroless images). */
export const SERVICE_UID = 65532;
