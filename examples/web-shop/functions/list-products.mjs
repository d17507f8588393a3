/** The shop's shelf: all eleven products. Prices are in cents of US dollars. */

const product = (id, name, cents, ...categories) => ({
  id,
  name,
  price: { currency: 'USD', cents },
  categories,
});

const PRODUCTS = [
  product(1, 'Vintage typewriter', 6799, 'vintage', 'office'),
  product(2, 'Camera lens', 1249, 'photography', 'vintage'),
  product(3, 'Home barista kit', 12400, 'kitchen'),
  product(4, 'Terrarium', 3645, 'gardening', 'home'),
  product(5, 'Film camera', 224500, 'photography', 'vintage'),
  product(6, 'Record player', 6550, 'music', 'vintage'),
  product(7, 'Metal camping mug', 2433, 'kitchen', 'outdoors'),
  product(8, 'City bike', 78950, 'outdoors'),
  product(9, 'Air plant', 1229, 'gardening', 'home'),
  product(10, 'Desk lamp', 4480, 'home', 'office'),
  product(11, 'Bathing suit', 3199, 'clothing', 'outdoors'),
];

export default () => PRODUCTS;
