/** Whether the chain can take events; people ask the modes. */
export abstract class ChainOpen {
  /** @throws while the store is rebuilt from the archive */
  abstract assertOpen(): void;
}

/** Who is an approver; people ask governance. */
export abstract class ApproverNames {
  /** The id of the approver whose principal this is; null when no one's. */
  abstract approverOf(principalId: string): Promise<string | null>;
}
