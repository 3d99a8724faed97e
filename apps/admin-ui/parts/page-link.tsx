import { Anchor, type AnchorProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import { forwardRef } from 'react';

/** Underlined: within a text, a link must not differ by colour alone (WCAG 1.4.1). */
const Underlined = forwardRef<HTMLAnchorElement, Omit<AnchorProps, 'href'>>(function Underlined(props, ref) {
  return <Anchor ref={ref} underline="always" inherit {...props} />;
});

/** A link to a screen, its path, parameters and search typed by the router. */
export const PageLink = createLink(Underlined);
