"""The gateway: the toolspace for other agents, as four tools (`FourTools`) or as the tools themselves (`PassThrough`)."""
