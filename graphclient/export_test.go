package graphclient

// SameOrigin returns nil when the link may be followed.
func (c *Client) SameOrigin(link string) error {
	_, err := c.linkTarget(link)
	return err
}
