/** A step that did not do what the runbook says. */
export class DrillFault extends Error {}
